"""What a SensorThings request can get wrong.

StaError
├── BadRequestError       400: cannot be read, or names what is not there
│   └── TooManyError      400: needs more Observations at once than can be held; narrow it by time
├── NotFoundError         404: there is no such entity or resource
├── UnsupportedError      501: an option of the standard that is not served
├── NotAllowedError       405: a method that a resource has not
└── StorageError          503: the file of a scratch instance cannot be used
"""


class StaError(Exception):
    """Base. `status` is the HTTP status, `hint` what to do about it, `at` where in the option's text."""

    status = 400

    def __init__(self, message: str, hint: str = "", *, at: int | None = None, option: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.at = at
        self.option = option


class BadRequestError(StaError):
    """The request cannot be understood."""


class TooManyError(BadRequestError):
    """It would need more Observations at once than can be held."""


class NotFoundError(StaError):
    """No such entity or resource."""

    status = 404


class NotAllowedError(StaError):
    """A method that this resource has not."""

    status = 405


class UnsupportedError(StaError):
    """Part of the standard that is not served here."""

    status = 501


class StorageError(StaError):
    """The file with the entities cannot be read or written."""

    status = 503
