"""A secret, and whatever could show it."""

from csq_assets_tests.kept_texts import kept_text
from csq_assets_tests.platform import Platform

SECRET = "SENTINELsentinelSENTINEL"


def seen(platform: Platform, *commands: str, **variables: str) -> tuple[list[int], str]:
    """The exit codes of the commands, and everything that they said and left behind."""
    ran = [platform.csq(*command.split(), **variables) for command in commands]
    said = "\n".join(one.stdout + one.stderr for one in ran)
    return [one.code for one in ran], f"{said}\n{kept_text(platform.folder)}"
