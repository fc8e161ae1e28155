"""Which addresses ring a phone: staff are called there first."""

SMS = frozenset(
    {
        *("46elks", "elks", "atalk", "bulksms", "bulkvs", "burstsms", "kudosity", "clickatell", "clicksend"),
        *("cm", "d7sms", "exotel", "httpsms", "infobip", "kaleyra", "klr", "kavenegar", "mobilemessage"),
        *("mobilemsg", "msg91", "msgbird", "nexmo", "vonage", "octopush", "plivo", "ringc", "serwersms"),
        *("seven", "sfr", "sinch", "smsc", "smseagle", "smseagles", "smsmanager", "smsmgr", "smstunnel"),
        *("telesign", "telnyx", "twilio", "voipms"),
    }
)
"""Schemes of Apprise's services that send SMS."""
ALARM = frozenset(
    {
        *("betterstack", "goalert", "goalerts", "ilert", "opsgenie", "pagerduty", "signl4", "splunk"),
        "victorops",
    }
)
"""Schemes of services that call people by voice, SMS and app until somebody answers."""


def rings(url: str) -> bool:
    """Whether an Apprise address is one of a phone."""
    return url.strip().partition("://")[0].lower() in SMS | ALARM
