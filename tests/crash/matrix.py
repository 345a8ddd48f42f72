"""Plays a story once for every point of it, and kills the worker there."""

import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.crash.points import Point, points_in
from tests.crash.worker import Place, run

ANSWER_SECONDS = 120

# Children of a server that has imported everything cost milliseconds, not a second each. What they would otherwise
# import again is the program that runs the tests.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["__main__", "pytest", "tests.crash.worker"])


class WorkerDied(Exception):
    """The worker is gone: killed at a point, or by a defect."""


class Worker:
    """A worker process, seen from the test."""

    def __init__(self, place: Place) -> None:
        self._pipe, theirs = _processes.Pipe()
        self._process: BaseProcess = _processes.Process(target=run, args=(place, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, command: str, *arguments: Any) -> Any:
        """What the story answers. Raises WorkerDied, and AssertionError for what went wrong in it."""
        try:
            self._pipe.send((command, *arguments))
            assert self._pipe.poll(ANSWER_SECONDS), f"no answer to {command!r}"
            outcome, answer = self._pipe.recv()
        except (EOFError, ConnectionError):
            raise WorkerDied from None
        assert outcome == "done", f"{command} {arguments} failed:\n{answer}"
        return answer

    def kill(self) -> None:
        """Ends the process as the points do."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


class Matrix:
    """One story in one place, played by `size` workers at once."""

    def __init__(self, place: Place, diaries: Path, size: int) -> None:
        self._place = place
        self._diaries = diaries
        self._size = size
        self._team: list[Worker] = []
        self._plays = 0

    def found(self) -> list[Point]:
        """Sets the story up and plays it undisturbed; answers the points it passes."""
        self._ask_somebody("found")
        return self._play(None)

    def die_at(self, point: Point) -> str | None:
        """Plays the story with a death at `point`, and lets whoever is left, or started again, finish it. Answers what
        was wrong then."""
        try:
            passed = self._play(point)
        except AssertionError as error:
            # Whatever is stuck there must not be taken for the next one's trouble.
            self.close()
            return str(error)
        return None if point in passed else "it was never reached"

    def finale(self) -> None:
        self._ask_somebody("finale")

    def close(self) -> None:
        while self._team:
            self._team.pop().kill()

    def _play(self, deadly: Point | None) -> list[Point]:
        subject = self._ask_somebody("prepare")
        self._plays += 1
        diary = self._diaries / f"{self._plays}.diary"
        self._fill_up()
        for worker in self._team:
            worker.ask("arm", diary, deadly)
        try:
            self._team[0].ask("act", subject)
            self._team[0].ask("finish", subject)
        except WorkerDied:
            self._team.pop(0).kill()
            self._ask_somebody("finish", subject)
        self._ask_somebody("check", subject)
        return points_in(diary)

    def _ask_somebody(self, command: str, *arguments: Any) -> Any:
        self._fill_up(1)
        return self._team[0].ask(command, *arguments)

    def _fill_up(self, size: int | None = None) -> None:
        for worker in list(self._team):
            try:
                worker.ask("arm", None, None)
            except WorkerDied:
                worker.kill()
                self._team.remove(worker)
        while len(self._team) < (size or self._size):
            self._team.append(Worker(self._place))
