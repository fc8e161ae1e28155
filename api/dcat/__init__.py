"""The catalogue of the city's open data, as DCAT-AP.de 3.0, for Open.NRW and GovData to harvest."""
