"""Names of the vocabularies that the catalogue speaks."""

from rdflib import DCAT, DCTERMS, SKOS, Namespace, URIRef

DCATAP = Namespace("http://data.europa.eu/r5r/")
DCATDE = Namespace("http://dcat-ap.de/def/dcatde/")
GEO = Namespace("http://www.opengis.net/ont/geosparql#")
HYDRA = Namespace("http://www.w3.org/ns/hydra/core#")
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")

_EU = "http://publications.europa.eu/resource/authority"
THEME = Namespace(f"{_EU}/data-theme/")
FILE_TYPE = Namespace(f"{_EU}/file-type/")
PUBLIC = URIRef(f"{_EU}/access-right/PUBLIC")
GERMAN = URIRef(f"{_EU}/language/DEU")
AVAILABLE = URIRef(f"{_EU}/planned-availability/AVAILABLE")
CONTINUOUSLY = URIRef(f"{_EU}/frequency/UPDATE_CONT")
THEMES = URIRef(f"{_EU}/data-theme")

HIGH_VALUE = URIRef("http://data.europa.eu/eli/reg_impl/2023/138/oj")
CATEGORY = Namespace("http://data.europa.eu/bna/")
REGIONAL_KEY = Namespace("http://dcat-ap.de/def/politicalGeocoding/regionalKey/")
MUNICIPALITY = URIRef("http://dcat-ap.de/def/politicalGeocoding/Level/municipality")
LOCAL_AUTHORITY = URIRef("http://purl.org/adms/publishertype/LocalAuthority")
MEDIA_TYPE = Namespace("https://www.iana.org/assignments/media-types/")
ELI = Namespace("http://data.europa.eu/eli/ontology#")

CLASSES = {
    DCTERMS.license: DCTERMS.LicenseDocument,
    DCTERMS.accessRights: DCTERMS.RightsStatement,
    DCTERMS.language: DCTERMS.LinguisticSystem,
    DCTERMS.format: DCTERMS.MediaTypeOrExtent,
    DCTERMS.accrualPeriodicity: DCTERMS.Frequency,
    DCTERMS.type: SKOS.Concept,
    DCAT.mediaType: DCTERMS.MediaType,
    DCAT.theme: SKOS.Concept,
    DCATAP.availability: SKOS.Concept,
    DCATAP.hvdCategory: SKOS.Concept,
    DCATAP.applicableLegislation: ELI.LegalResource,
}
"""What the values of a property are, where they are members of somebody's vocabulary."""
