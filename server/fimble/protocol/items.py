"""textDocument/completion and completionItem/resolve: a list that lives beside others'."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from fimble.features.items import LINE, MEMBER, WORD, list_items
from fimble.protocol.logs import logger
from fimble.source.docs import comment_of, signature
from fimble.source.positions import offset_at, position_at

if TYPE_CHECKING:
    from fimble.features.items import Item, Items
    from fimble.protocol.server import FimbleServer
    from fimble.source.text import Snapshot

TRIGGERS: Final = (".", ":", ">")
"""Last characters of the operators after which members stand; others' items open the popup too."""
OTHERS: Final = 8
"""Open documents that names are taken from."""
DETAIL: Final = "fimble"
KINDS: Final = {
    "function": types.CompletionItemKind.Function,
    "method": types.CompletionItemKind.Method,
    "class": types.CompletionItemKind.Class,
    "implementation": types.CompletionItemKind.Class,
    "interface": types.CompletionItemKind.Interface,
    "enum": types.CompletionItemKind.Enum,
    "type": types.CompletionItemKind.Struct,
    "module": types.CompletionItemKind.Module,
    "constant": types.CompletionItemKind.Constant,
    "variable": types.CompletionItemKind.Variable,
    "macro": types.CompletionItemKind.Function,
    "key": types.CompletionItemKind.Property,
    MEMBER: types.CompletionItemKind.Field,
    WORD: types.CompletionItemKind.Text,
    LINE: types.CompletionItemKind.Snippet,
}


def register(server: FimbleServer) -> None:
    """Add these handlers to the server."""
    options = types.CompletionOptions(trigger_characters=TRIGGERS, resolve_provider=True)
    server.feature(types.TEXT_DOCUMENT_COMPLETION, options)(completion)
    server.feature(types.COMPLETION_ITEM_RESOLVE)(resolve)


async def completion(
    ls: FimbleServer, params: types.CompletionParams
) -> types.CompletionList | None:
    """List names at the cursor, and the suggestion that is shown there as the first item."""
    started = perf_counter()
    document = ls.session.document(params.text_document.uri)
    if document is None:
        raise JsonRpcInvalidParams("This document is not open.")
    snapshot, position = document.snapshot, params.position
    offset = offset_at(snapshot, position.line, position.character, ls.protocol.encoding)
    others = [each.snapshot for each in ls.session if each.snapshot.uri != snapshot.uri]
    # A key that comes meanwhile stops the model only: VS Code narrows the list as it is, and would
    # not ask again after an empty one.
    found = await list_items(
        snapshot,
        offset,
        document.memory,
        ls.engine,
        ls.session.settings,
        survey=ls.survey,
        others=others[::-1][:OTHERS],
        more=partial(ls.indexing.names, snapshot),
        while_fresh=partial(ls.work.until_stale, snapshot.uri),
    )
    if found is None or not found.items or _is_idle(params, found):
        return None
    logger.debug(
        "completion: %d items%s in %.1f ms",
        len(found.items),
        ", ranked" if found.ranked else "",
        (perf_counter() - started) * 1000,
    )
    return _list(ls, snapshot, found)


def resolve(ls: FimbleServer, item: types.CompletionItem) -> types.CompletionItem:
    """Add the definition's signature and documentation, if it still is where it was."""
    data: Any = item.data
    if not isinstance(data, dict) or not isinstance(data.get("at"), int):
        return item
    document = ls.session.document(str(data.get("uri")))
    if document is None:
        return item
    snapshot = document.snapshot
    symbol = ls.survey.symbol(snapshot, item.label, data["at"])
    if symbol is not None:
        head, comment = signature(snapshot, symbol), comment_of(snapshot, symbol)
        item.documentation = _documentation(ls, snapshot, head, comment)
    return item


def _is_idle(params: types.CompletionParams, found: Items) -> bool:
    """Whether a trigger character opened the popup where no member is wanted."""
    context = params.context
    return (
        context is not None
        and context.trigger_kind == types.CompletionTriggerKind.TriggerCharacter
        and found.spot.receiver is None
    )


def _list(ls: FimbleServer, snapshot: Snapshot, found: Items) -> types.CompletionList:
    items = [_item(ls, snapshot, found, index, item) for index, item in enumerate(found.items)]
    # The order is the model's at this very place, so it is asked again as the word grows.
    return types.CompletionList(is_incomplete=True, items=items)


def _item(
    ls: FimbleServer, snapshot: Snapshot, found: Items, index: int, item: Item
) -> types.CompletionItem:
    return types.CompletionItem(
        label=item.text,
        kind=KINDS.get(item.kind, types.CompletionItemKind.Text),
        detail=DETAIL,
        sort_text=f"{index:04}",
        filter_text=item.text,
        preselect=True if index == 0 and found.is_sure else None,
        insert_text_format=types.InsertTextFormat.PlainText,
        text_edit=_edit(ls, snapshot, found, item),
        data={"uri": item.uri, "at": item.at} if item.uri else None,
    )


def _edit(
    ls: FimbleServer, snapshot: Snapshot, found: Items, item: Item
) -> types.TextEdit | types.InsertReplaceEdit:
    spot = found.spot
    if item.end is not None:
        return types.TextEdit(_range(ls, snapshot, spot.start, item.end), item.text)
    insert = _range(ls, snapshot, spot.start, spot.offset)
    if not _capabilities(ls, "insert_replace_support"):
        return types.TextEdit(insert, item.text)
    return types.InsertReplaceEdit(item.text, insert, _range(ls, snapshot, spot.start, spot.end))


def _range(ls: FimbleServer, snapshot: Snapshot, start: int, end: int) -> types.Range:
    encoding = ls.protocol.encoding
    first, last = position_at(snapshot, start, encoding), position_at(snapshot, end, encoding)
    return types.Range(types.Position(*first), types.Position(*last))


def _documentation(
    ls: FimbleServer, snapshot: Snapshot, head: str, comment: str
) -> types.MarkupContent | str:
    formats = _capabilities(ls, "documentation_format") or ()
    if types.MarkupKind.Markdown not in formats:
        return f"{head}\n\n{comment}".strip()
    text = f"```{snapshot.language.id}\n{head}\n```\n\n{comment}".strip()
    return types.MarkupContent(types.MarkupKind.Markdown, text)


def _capabilities(ls: FimbleServer, name: str) -> Any:
    """One of the client's capabilities about completion items; None without them."""
    documents = ls.client_capabilities.text_document
    about = documents.completion.completion_item if documents and documents.completion else None
    return getattr(about, name, None)
