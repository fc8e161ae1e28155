"""Official neighbours: public gauges and warnings, polled politely and journalled like uplinks.

One module a source: `pegelonline`, `hochwasserportal_nrw`, `dwd_cap`. Each parses bytes into values and
reasons and raises on none; `poller` asks them in turn. What they give becomes messages for the intake
(`uplinks`), so that journal, store, engine and page see it as they see a sensor of the city's own.
"""
