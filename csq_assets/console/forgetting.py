"""What `csq forget` says."""

from pathlib import Path
from typing import TYPE_CHECKING

from csq_assets.console.printing import count, say

if TYPE_CHECKING:
    from csq_assets.dataconnect.certificate import Certificate


def show_certificate(done: "Certificate", file: Path | None) -> None:
    """What is gone, and what is left: the last line is the most important."""
    unknown = sum(not user.found for user in done.users)
    if unknown and not done.resumed:
        say(f"Nothing was found of {count(unknown, 'id')} of {len(done.users)}.")
    rows = sum(removed.rows for removed in done.removed)
    say(f"Removed {count(rows, 'row')} from {count(len(done.removed), 'place')}.")
    if file is not None:
        say(f"The certificate is in {file}.")
    for one in done.left:
        say(f"left {one.where}: {one.what}. {one.remedy}")
    if done.is_complete:
        say("A second search found nothing.")
