"""Mail folders over Graph."""

from __future__ import annotations

from collections.abc import Iterable

from .call import Call
from .delta import FOLDERS, Entry
from .errors import GraphError
from .folder import Folder
from .odata import delta_query, number, selected, wants_hidden
from .representation import Json, check_selected, folder_json

_PROPERTIES = (
    "id",
    "displayName",
    "parentFolderId",
    "childFolderCount",
    "unreadItemCount",
    "totalItemCount",
    "sizeInBytes",
    "isHidden",
)


def list_folders(call: Call) -> Json:
    """The folders at the top."""
    return _listed(call, call.box.folders.root, "/mailFolders", "mailFolders")


def list_child_folders(call: Call, folder: str) -> Json:
    """The folders below one."""
    parent = call.box.folders.get(folder)
    return _listed(call, parent, f"/mailFolders/{folder}/childFolders", f"mailFolders('{parent.id}')/childFolders")


def get_folder(call: Call, folder: str) -> Json:
    """One folder, by id or well-known name."""
    found = call.box.folders.get(folder)
    context = call.context(f"users('{call.user.oid}')/mailFolders/$entity")
    return {"@odata.context": context, **_shown(found, call, _names(call))}


def folders_delta(call: Call) -> Json:
    """What changed in the folder tree."""
    token = call.args.get("$skiptoken") or call.args.get("$deltatoken")
    if token:
        cursor = call.box.resume(token, FOLDERS, immutable=True)
    else:
        cursor = call.box.start_round(FOLDERS, delta_query(call.args), immutable=True)
    entries, following, next_token = call.box.page(cursor, call.prefer.max_page_size or 10, token)
    return {
        "@odata.context": call.context("Collection(mailFolder)"),
        **delta_link(call, "/mailFolders/delta", next_token, is_delta=following.is_delta),
        "value": list(_changed(entries, call, following.query.select)),
    }


def delta_link(call: Call, path: str, token: str, *, is_delta: bool) -> Json:
    """The link of a delta page: exactly one of the two."""
    if is_delta:
        return {"@odata.deltaLink": call.link(path, {"$deltatoken": token})}
    return {"@odata.nextLink": call.link(path, {"$skiptoken": token})}


def _changed(entries: Iterable[Entry], call: Call, select: str | None) -> Iterable[Json]:
    names = select.split(",") if select else None
    type_ = {"@odata.type": "#microsoft.graph.mailFolder"}
    for entry in entries:
        try:
            folder = call.box.folders.get(entry.id)
        except GraphError:
            yield {**type_, "id": entry.id, "@removed": {"reason": "deleted"}}
        else:
            yield {**type_, **_shown(folder, call, names if entry.fields is None else sorted(entry.fields))}


def _listed(call: Call, parent: Folder, path: str, context: str) -> Json:
    found = call.box.folders.children(parent.id, hidden=wants_hidden(call.args))
    top, skip = number(call.args, "$top", 10), number(call.args, "$skip", 0, least=0, most=10**9)
    names = _names(call)
    answer: Json = {"@odata.context": call.context(f"users('{call.user.oid}')/{context}")}
    if call.args.get("$count", "").lower() == "true":
        answer["@odata.count"] = len(found)
    answer["value"] = [_shown(folder, call, names) for folder in found[skip : skip + top]]
    if skip + top < len(found):
        answer["@odata.nextLink"] = call.link(path, call.args.to_dict() | {"$skip": str(skip + top)})
    return answer


def _names(call: Call) -> list[str] | None:
    names = selected(call.args)
    check_selected(names or (), "mailFolder", _PROPERTIES)
    return names


def _shown(folder: Folder, call: Call, names: list[str] | None) -> Json:
    whole = folder_json(folder, call.box)
    if names is None:
        return whole
    return {name: value for name, value in whole.items() if name in ("id", "@odata.type") or name in names}
