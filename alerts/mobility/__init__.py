"""Traffic and parking: counts that add up, the state of the roads, free spaces and what is expected of them.

A reader of the journal of its own: the rule engine of the flood warnings never waits for it.
"""
