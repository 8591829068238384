"""The error of images that cannot be shown."""


class NotShown(Exception):
    """An image cannot be shown; the message gives the reason, in words for users."""
