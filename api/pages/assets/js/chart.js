// One station's history: rain and counts as bars, levels as a line with their marks. uPlot is optional.

import { el } from "./dom.js";
import { number, stamp, time } from "./format.js";
import { label, model, themeOf, unitOf } from "./model.js";
import { t } from "./texts.js";

const uPlot = window.uPlot;
const DAY_S = 86_400;
let plot = null;

export function clearChart(place) {
  plot?.destroy();
  plot = null;
  place.replaceChildren();
  place.removeAttribute("role");
  place.removeAttribute("aria-label");
}

export function drawChart(place, station, property, data) {
  clearChart(place);
  const values = data.points.filter((each) => each.value !== null).map((each) => each.value);
  const decimals = model.properties.get(property)?.decimals ?? 1;
  if (!values.length || !uPlot) {
    place.replaceChildren(el("p", { class: "chart-note" }, values.length ? t().noChart : t().noData));
    return;
  }
  const name = label(property, data.everyS);
  const ucum = unitOf(property);
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", t().chartOf(name, ucum, number(Math.min(...values), decimals), number(Math.max(...values), decimals)));
  const columns = [data.points.map((each) => each.ms / 1000), data.points.map((each) => each.value)];
  plot = new uPlot(options(place, station, property, data, { name, ucum, decimals }), columns, place);
}

export function resizeChart(place) {
  plot?.setSize({ width: place.clientWidth, height: 230 });
}

function options(place, station, property, data, { name, ucum, decimals }) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const tone = colour(themeOf(station));
  const marks = property === "water_level" ? station.stages_cm : [];
  const span = (data.to - data.from) / 1000;
  const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  const whole = span > 2 * DAY_S ? { day: "numeric", month: "numeric" } : { hour: "2-digit", minute: "2-digit" };
  const values = data.points.map((each) => each.value).filter((value) => value !== null);
  // a level stands over its gauge zero and under its first mark, so that calm water looks calm
  const top = Math.max(...values, ...marks.slice(0, 1), ...marks.filter((mark) => mark <= 1.6 * Math.max(...values)));
  const low = data.bars ? 0 : Math.min(...values, ...(property === "water_level" ? [0] : []));
  const room = (top - low || Math.abs(top) || 1) * 0.12;
  return {
    width: place.clientWidth,
    height: 230,
    cursor: { y: false, points: { show: !data.bars }, drag: { x: false, y: false } },
    legend: { show: true, live: true },
    scales: {
      x: { time: true, range: [data.from / 1000, data.to / 1000] },
      y: { range: [low === 0 ? 0 : low - room, top + room] },
    },
    axes: [
      { ...axis, values: (_, splits) => splits.map((at) => time(at * 1000, whole)), space: 64 },
      { ...axis, values: (_, splits) => splits.map((value) => number(value, Number.isInteger(value) ? 0 : 1)), size: 48, label: ucum || t().counted[property], labelSize: 18, labelGap: 0, labelFont: axis.font },
    ],
    series: [
      { label: t().time, value: (_, at) => (at === null ? "–" : stamp(at * 1000)) },
      {
        label: `${name}${ucum ? ` (${ucum})` : ""}`,
        stroke: tone,
        width: data.bars ? 0 : 2,
        fill: data.bars ? tone : undefined,
        paths: data.bars ? uPlot.paths.bars({ size: [0.8, 26, 1], align: -1 }) : undefined,
        points: { show: false },
        value: (_, value) => (value === null ? "–" : number(value, decimals)),
      },
    ],
    hooks: { draw: [(u) => drawMarks(u, marks, colour)] },
  };
}

/** Horizontal lines at a gauge's marks, named. */
function drawMarks(u, marks, colour) {
  const tones = [colour("minor"), colour("moderate"), colour("severe"), colour("extreme")];
  const ratio = devicePixelRatio;
  u.ctx.save();
  u.ctx.font = `${12 * ratio}px system-ui, sans-serif`;
  u.ctx.textAlign = "left";
  u.ctx.textBaseline = "alphabetic";
  u.ctx.lineWidth = 1.5 * ratio;
  u.ctx.setLineDash([6 * ratio, 4 * ratio]);
  marks.forEach((mark, i) => {
    const y = u.valToPos(mark, "y", true);
    if (y < u.bbox.top || y > u.bbox.top + u.bbox.height) return;
    u.ctx.strokeStyle = u.ctx.fillStyle = tones[i] ?? tones[3];
    u.ctx.beginPath();
    u.ctx.moveTo(u.bbox.left, y);
    u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
    u.ctx.stroke();
    u.ctx.fillText(t().mark(i + 1, number(mark)), u.bbox.left + 6 * ratio, y - 5 * ratio);
  });
  u.ctx.restore();
}
