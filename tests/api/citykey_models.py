"""What the parsers of the two Citykey apps ask of each field: facts read from their open models, 2026.

A field's kinds per app: `int`, `long`, `number`, `text`, `bool`, `date` (YYYY-MM-DD HH:MM:SS), `map`, or a
table of its own (`[table]` for a list of them). `?` behind it: the app takes null or nothing; without it one
that is missing or null ends the parse, or the app. Gson (Android) also reads digits of a text as int, and a
number as text; Swift's Decodable (iOS) reads neither.
"""

POI = {
    "android": {
        "id": "text",
        "latitude": "number",
        "longitude": "number",
        "icon": "text",
        "title": "text",
        "subtitle": "text",
        "address": "text",
        "openHours": "text",
        "description": "text",
        "url": "text",
        "distance": "long",
        "categoryGroupIcon": "text?",
    },
    "ios": {
        "address": "text",
        "categoryName": "text",
        "cityId": "int",
        "description": "text",
        "distance": "int",
        "icon": "text?",
        "id": "int",
        "latitude": "number",
        "longitude": "number",
        "openHours": "text",
        "subtitle": "text",
        "title": "text",
        "url": "text",
    },
}
POI_CATEGORY = {
    "android": {
        "categoryGroupId": "int",
        "categoryGroupName": "text",
        "categoryGroupIcon": "text",
        "categoryList": [{"categoryId": "int", "categoryName": "text", "categoryIcon": "text?"}],
    },
    "ios": {
        "categoryGroupId": "text",
        "categoryGroupName": "text",
        "categoryGroupIcon": "text?",
        "categoryList": [{"categoryId": "int", "categoryName": "text"}],
    },
}
CONTENT = {
    "android": {
        "contentId": "int",
        "contentCreationDate": "date",
        "uid": "int?",
        "contentDetails": "text?",
        "contentTeaser": "text?",
        "contentSubtitle": "text?",
        "contentSource": "text?",
        "contentImage": "text?",
        "contentTyp": "text?",
        "contentCategory": "text?",
        "imageCredit": "text?",
        "thumbnail": "text?",
        "thumbnailCredit": "text?",
        "sticky": "bool",
    },
    "ios": {
        "contentId": "int?",
        "uid": "int?",
        "contentTeaser": "text?",
        "contentDetails": "text?",
        "contentSubtitle": "text?",
        "contentSource": "text?",
        "contentImage": "text?",
        "imageCredit": "text?",
        "thumbnail": "text?",
        "thumbnailCredit": "text?",
        "contentCategory": "text?",
        "contentCreationDate": "date?",
        "sticky": "bool?",
    },
    "ios-widget": {
        "contentId": "int",
        "contentCreationDate": "date",
        "contentDetails": "text",
        "contentImage": "text",
        "imageCredit": "text",
        "contentSource": "text",
        "contentTeaser": "text",
        "cityId": "int",
        "language": "text",
        "sticky": "bool",
        "thumbnail": "text",
        "thumbnailCredit": "text",
        "contentSubtitle": "text",
        "uid": "int",
    },
}
INFOBOX = {
    app: {
        "attachments": [{"attachmentLink": "text", "attachmentText": "text"}],
        "buttonAction": "text?",
        "buttonText": "text?",
        "category": {"categoryIcon": "text", "categoryName": "text"},
        "creationDate": "date",
        "description": "text",
        "details": "text",
        "headline": "text",
        "isRead": "bool",
        "userInfoId": "int",
        "messageId": "int",
    }
    for app in ("android", "ios")
}
SERVICES = {
    "android": {
        "cityServiceCategoryList": [
            {
                "category": "text",
                "categoryId": "int",
                "image": "text",
                "icon": "text",
                "cityServiceList": [
                    {
                        "serviceId": "int",
                        "service": "text",
                        "image": "text",
                        "header_image": "text?",
                        "icon": "text",
                        "restricted": "bool",
                        "residence": "bool",
                        "description": "text",
                        "serviceType": "text?",
                        "isNew": "bool",
                        "templateId": "int?",
                        "function": "text?",
                        "rank": "int?",
                        "helpLinkTitle": "text?",
                        "serviceParams": "map?",
                        "serviceAction": [
                            {
                                "androidUri": "text",
                                "action": "int?",
                                "visibleText": "text",
                                "type": "int",
                                "buttonDesign": "int",
                                "actionOrder": "int",
                                "actionType": "text?",
                            }
                        ],
                    }
                ],
            }
        ]
    },
    "ios": {
        "cityServiceCategoryList": [
            {
                "categoryId": "text",
                "category": "text",
                "description": "text",
                "image": "text?",
                "icon": "text?",
                "parent_id": "text?",
                "cityServiceList": [
                    {
                        "serviceId": "int",
                        "service": "text",
                        "description": "text?",
                        "image": "text?",
                        "icon": "text?",
                        "function": "text?",
                        "restricted": "bool?",
                        "isNew": "bool",
                        "residence": "bool",
                        "rank": "int?",
                        "serviceParams": "map?",
                        "helpLinkTitle": "text?",
                        "templateId": "int?",
                        "header_image": "text?",
                        "serviceType": "text?",
                        "serviceAction": [
                            {
                                "action": "text",
                                "buttonDesign": "text",
                                "iosAppStoreUri": "text",
                                "iosUri": "text",
                                "actionOrder": "int",
                                "actionId": "int",
                                "visibleText": "text",
                                "actionType": "text?",
                            }
                        ],
                    }
                ],
            }
        ]
    },
}
ERRORS = {app: {"errorCode": "text", "userMsg": "text"} for app in ("android", "ios")}
