"""Which function does which step, and the start of the program that runs on a host."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Callable, Mapping, TypeVar

from tempo_infra.on_host import armed as guard
from tempo_infra.on_host import journal
from tempo_infra.on_host.layout import Layout
from tempo_infra.on_host.lazy import Later
from tempo_infra.on_host.session import Handler, Session
from tempo_infra.on_host.steps import change, reading, upkeep

if TYPE_CHECKING:
    from tempo_infra.on_host import (
        arming,
        arriving,
        backups,
        bootstrap,
        cluster_name,
        cluster_record,
        containers,
        database,
        departing,
        disk_speed,
        draining,
        ejecting,
        generation,
        kept_generation,
        leaving,
        login,
        material,
        namespaces,
        origin,
        preflight,
        retiring,
        ring,
        runs,
        schema,
        state,
        trial_start,
    )
    from tempo_infra.on_host.steps.step import Step
else:
    arming, arriving = map(Later, ("arming", "arriving"))
    cluster_name, bootstrap = map(Later, ("cluster_name", "bootstrap"))
    backups = Later("backups")
    cluster_record, containers = map(Later, ("cluster_record", "containers"))
    database, departing = map(Later, ("database", "departing"))
    disk_speed, draining, ejecting, ring = map(Later, ("disk_speed", "draining", "ejecting", "ring"))
    generation, kept_generation = map(Later, ("generation", "kept_generation"))
    leaving, login, material = map(Later, ("leaving", "login", "material"))
    namespaces, origin, preflight = map(Later, ("namespaces", "origin", "preflight"))
    retiring, runs, schema = map(Later, ("retiring", "runs", "schema"))
    state, trial_start = map(Later, ("state", "trial_start"))

S = TypeVar("S", bound="Step")


def _does(kind: "type[S]", do: "Callable[[Session, S], object]") -> "tuple[type[Step], Handler]":
    """Pair a kind of step with what does it: a pair that doesn't fit is no pair for the type checker."""
    return kind, do


HANDLERS: "Mapping[type[Step], Handler]" = dict(
    (
        _does(reading.KeptGeneration, lambda s, step: kept_generation.read(s.layout, step.digest)),
        _does(reading.State, lambda s, step: state.read_state(s.layout, step)),
        _does(reading.Facts, lambda s, step: s.facts(step)),
        _does(reading.Clock, lambda _, __: {"ns": time.time_ns()}),
        _does(reading.BootId, lambda s, _: {"boot_id": guard.boot_id(s.layout)}),
        _does(reading.Departed, lambda s, _: departing.look(s.layout)),
        _does(reading.Runs, lambda s, step: runs.read_runs(s.layout, step)),
        _does(reading.Belongs, lambda s, step: cluster_name.refuse_another(s.layout, step.cluster)),
        _does(reading.Roles, lambda _, __: {"roles": retiring.roles()}),
        _does(reading.Backups, lambda s, _: backups.look(s.layout)),
        _does(reading.Passwords, lambda s, step: material.passwords(s.layout, step)),
        _does(change.Lock, Session.lock),
        _does(change.Unlock, Session.unlock),
        _does(change.Note, lambda s, step: journal.note(s.layout, step)),
        _does(change.Bootstrap, lambda s, _: bootstrap.install_docker(s.layout, s.say)),
        _does(change.Preflight, lambda s, step: preflight.preflight(s.layout, step)),
        _does(change.DiskSpeed, lambda s, _: disk_speed.measure(s.layout)),
        _does(change.Stage, lambda s, step: generation.stage(s.layout, step)),
        _does(change.Validate, lambda s, step: containers.validate(s.layout, step)),
        _does(change.Pull, lambda s, step: containers.pull(step, s.say)),
        _does(change.Receive, lambda s, step: arriving.receive(s.layout, step)),
        _does(change.Piece, lambda s, step: arriving.piece(s.layout, step)),
        _does(change.Load, lambda s, step: arriving.load(s.layout, step)),
        _does(change.Tag, lambda s, step: arriving.tag(s.layout, step)),
        _does(change.TrialStart, lambda s, step: trial_start.trial_start(s.layout, step)),
        _does(change.Origin, lambda s, step: origin.keep(s.layout, step)),
        _does(change.ClusterRecord, lambda s, step: cluster_record.keep(s.layout, step.record)),
        _does(change.Arm, lambda s, step: arming.arm(s.layout, step)),
        _does(change.Switch, Session.switch),
        _does(change.Data, lambda s, step: database.make_data_folder(s.layout, step)),
        _does(change.Up, Session.up),
        _does(change.BeforeOurs, lambda s, _: containers.before_ours(s.layout)),
        _does(change.PostgresReady, Session.postgres_ready),
        _does(change.Sql, lambda s, step: database.sql(step, s.say)),
        _does(change.LocalLogin, lambda _, __: database.local_login()),
        _does(change.Schema, lambda s, step: schema.migrate(s.layout, step, s.say)),
        _does(change.PrepareBackups, lambda s, step: backups.prepare(step, s.say)),
        _does(change.DatabaseAnswers, lambda _, step: database.database_answers(step)),
        _does(change.Login, lambda s, step: login.login(s.layout, step)),
        _does(change.Serving, Session.serving),
        _does(change.Membership, lambda _, step: database.membership(step)),
        _does(change.Ring, lambda _, step: ring.ring(step)),
        _does(change.EndSessions, lambda _, step: departing.end_sessions(step)),
        _does(change.MembersGone, lambda _, __: database.members_gone()),
        _does(change.Namespaces, lambda s, step: namespaces.namespaces(s.layout, step)),
        _does(change.Healthy, lambda s, step: arming.healthy(s.layout, step)),
        _does(change.Still, lambda s, step: arming.still(s.layout, step)),
        _does(change.Confirm, lambda s, step: arming.confirm(s.layout, step)),
        _does(change.Rollback, lambda s, step: arming.rollback(s.layout, step, s.say)),
        _does(upkeep.Unused, lambda _, step: retiring.unused(step)),
        _does(upkeep.Forget, lambda s, step: retiring.forget(s.layout, step)),
        _does(upkeep.Drain, lambda s, step: draining.drain(s.layout, step)),
        _does(upkeep.Owners, lambda _, step: draining.owners(step)),
        _does(upkeep.OutOfRing, lambda _, step: ring.out(step)),
        _does(upkeep.Silent, lambda s, step: departing.silent(step, s.say)),
        _does(upkeep.Command, lambda _, step: draining.command(step)),
        _does(upkeep.Reboot, lambda _, __: draining.reboot()),
        _does(upkeep.TakeBackup, lambda s, step: backups.take(s.layout, step, s.say)),
        _does(upkeep.Remove, lambda s, step: leaving.remove(s.layout, step)),
        _does(upkeep.Eject, lambda s, step: ejecting.eject(s.layout, step)),
    )
)


def main(nonce: str, request: bytes = b"") -> None:
    """Serve one connection; called by the line that the controller sends, which may have read a request."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a lost terminal must not stop a step half way
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.umask(0o022)
    Session(HANDLERS, nonce, sys.stdin.buffer, sys.stdout.buffer, Layout(), request).serve()
