"""What adapters of hosted memory services share.

Such a service keeps texts, each with a little metadata, and ranks them by meaning. The
rest of memio's contract (exact metadata, filters, scopes, order, pages, search by
words) is fulfilled here, by packing what the service would lose into an envelope and by
reading whole scopes. A provider only says how its service keeps rows: a
``Collection``, or a ``Library`` of sessions.
"""

from memio.hosted.collection import (
    MOST_ROWS,
    Collection,
    Hits,
    Service,
    VersionedCollection,
    check_size,
    require,
)
from memio.hosted.documents import HostedDocuments
from memio.hosted.facts import HostedFacts
from memio.hosted.history import HostedHistory, Library
from memio.hosted.rows import (
    Row,
    Scope,
    as_moment,
    as_sent,
    created_within,
    digest,
    new_row,
    newest,
    pack,
    unpack,
)
from memio.hosted.store import HostedStore
from memio.hosted.together import gather

__all__ = [
    "MOST_ROWS",
    "Collection",
    "Hits",
    "HostedDocuments",
    "HostedFacts",
    "HostedHistory",
    "HostedStore",
    "Library",
    "Row",
    "Scope",
    "Service",
    "VersionedCollection",
    "as_moment",
    "as_sent",
    "check_size",
    "created_within",
    "digest",
    "gather",
    "new_row",
    "newest",
    "pack",
    "require",
    "unpack",
]
