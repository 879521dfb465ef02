"""What people may ask about deputies: their own, and with the right to administer anybody's."""

from __future__ import annotations

from dataclasses import dataclass

from comptroller.core.asking import Deputy
from comptroller.core.config_approvals import moment
from comptroller.core.errors import UsageError
from comptroller.core.role import Right
from comptroller.server.desk import Desk
from comptroller.server.identity import Caller
from comptroller.server.operations import ForbiddenError, NotFoundError
from comptroller.server.progress import moment_text
from comptroller.server.render import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class DeputyOperations:
    """Set, list, end. Raises `ComptrollerError`s; renders to JSON objects."""

    desk: Desk

    async def everyone(self) -> Json:
        """Everyone who may answer for somebody, now or later."""
        return {"deputies": [self._json(each) for each in await self.desk.deputies.all()]}

    async def set(
        self, caller: Caller, *, person: str, until: str, since: str = "", groups: list[str] | None = None, of: str = ""
    ) -> Json:
        """Let `person` answer for the caller, or with the right to administer for `of`."""
        stands_for = of or caller.person.name
        _may(caller, stands_for)
        if stands_for not in self.desk.config.people:
            raise UsageError(f"`{stands_for}` is no person of {self.desk.config_path}: nobody can stand for them")
        try:
            begins = moment(since) if since else self.desk.clock.now()
            ends = moment(until, end=True)
        except ValueError as error:
            raise UsageError(str(error)) from error
        wanted = Deputy(
            person=person,
            stands_for=stands_for,
            since=begins,
            until=ends,
            groups=None if groups is None else frozenset(groups),
        )
        return self._json(await self.desk.deputies.set(wanted, by=caller.person.name))

    async def end(self, caller: Caller, name: str) -> Json:
        """End the deputy of this id, or of this person for the caller."""
        known = await self.desk.deputies.all()
        found = [each for each in known if each.id == name] or [
            each for each in known if each.person == name and each.stands_for == caller.person.name
        ]
        if not found:
            raise NotFoundError(f"there is no deputy `{name}`", hint="comptroller approvals deputy list")
        for each in found:
            _may(caller, each.stands_for)
            await self.desk.deputies.end(each, by=caller.person.name)
        return {"ended": [self._json(each) for each in found]}

    def _json(self, deputy: Deputy) -> Json:
        return {
            "id": deputy.id,
            "person": deputy.person,
            "stands_for": deputy.stands_for,
            "from": moment_text(deputy.since),
            "until": moment_text(deputy.until),
            "groups": None if deputy.groups is None else sorted(deputy.groups),
            "configured": not deputy.id,
            "holds": deputy.holds(self.desk.clock.now()),
        }


def _may(caller: Caller, stands_for: str) -> None:
    if caller.only is not None and not caller.may(Right.ADMINISTER):
        raise ForbiddenError(
            "a token answers, and appoints nobody: a deputy would outlive it",
            hint="comptroller approvals deputy set, on the machine itself",
        )
    if caller.person.name != stands_for and not caller.may(Right.ADMINISTER):
        raise ForbiddenError(
            f"`{caller.person.name}` may not say who answers for `{stands_for}`",
            hint="they themselves may, and an administrator",
        )
