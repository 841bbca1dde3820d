-- SPDX-License-Identifier: Apache-2.0
-- The store's tables. Each part begins with a line "-- @migration N"; the parts above the store's
-- version are run in order, each in one transaction that also writes schema_version. A part that was
-- ever released is never edited: what follows goes into a new part.
--
-- Ids. External ids are BLOBs of 16 bytes (uuid). Inside, a run's id is study.id * 2^32 + number + 1,
-- and study.id * 2^32 stands for the study's own run: finding the trial of a number costs no index,
-- and each study grows at its own end of every table. Tags, artifacts and inputs hang on either kind.
--
-- owner_id: user.id of the owner; 0: whoever runs the coordinator. Booleans and enumerations are the
-- numbers of the C headers; times are microseconds since 1970, 0: not yet; unsigned numbers keep
-- their 64 bits. A NaN is the value 0 with is_nan set. Foreign keys are not declared: every row
-- is made from an event by one writer, and checks would cost a look-up for each.
--
-- @migration 1
CREATE TABLE schema_version(version INTEGER PRIMARY KEY, applied_us INTEGER NOT NULL);

CREATE TABLE store(
    one INTEGER PRIMARY KEY CHECK (one = 1), owner_id INTEGER NOT NULL, uuid BLOB NOT NULL,
    owner_epoch INTEGER NOT NULL, port INTEGER NOT NULL, place TEXT NOT NULL);

CREATE TABLE user(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);

-- Every state change, in order. All tables below are made from this one.
CREATE TABLE event(
    seq INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL, study INTEGER NOT NULL, -- 0: none
    trial INTEGER, attempt INTEGER NOT NULL, kind INTEGER NOT NULL, wall_us INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX event_of_trial ON event(study, trial) WHERE trial IS NOT NULL;

-- Texts that come again and again: names of metrics and parameters, hosts, hardware. They belong to
-- no one: the one table of data without owner_id.
CREATE TABLE word(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);

-- A project.
CREATE TABLE experiment(
    id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL, name TEXT NOT NULL UNIQUE,
    created_us INTEGER NOT NULL);

CREATE TABLE study(
    id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL, uuid BLOB NOT NULL UNIQUE,
    experiment INTEGER NOT NULL, name TEXT NOT NULL, spec TEXT NOT NULL,
    command_line TEXT NOT NULL, maximize INTEGER NOT NULL,
    state INTEGER NOT NULL, cause INTEGER NOT NULL, text TEXT NOT NULL,
    created_us INTEGER NOT NULL, ended_us INTEGER NOT NULL,
    created_seq INTEGER NOT NULL, state_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
    events INTEGER NOT NULL,
    queued INTEGER NOT NULL, leased INTEGER NOT NULL, running INTEGER NOT NULL,
    paused INTEGER NOT NULL, complete INTEGER NOT NULL, pruned INTEGER NOT NULL,
    failed INTEGER NOT NULL, cancelled INTEGER NOT NULL,
    best REAL NOT NULL, best_is_nan INTEGER NOT NULL, best_trial INTEGER NOT NULL);
CREATE INDEX study_of_name ON study(name);

-- A trial. params: typed and exact, as JSON.
CREATE TABLE run(
    id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL, uuid BLOB NOT NULL,
    state INTEGER NOT NULL, cause INTEGER NOT NULL, text TEXT NOT NULL,
    value REAL NOT NULL, is_nan INTEGER NOT NULL, step INTEGER NOT NULL, seed INTEGER NOT NULL,
    attempts INTEGER NOT NULL, created_us INTEGER NOT NULL, started_us INTEGER NOT NULL,
    ended_us INTEGER NOT NULL, host INTEGER NOT NULL, source INTEGER NOT NULL,
    params TEXT NOT NULL);
CREATE UNIQUE INDEX run_of_uuid ON run(uuid);

CREATE TABLE attempt(
    run INTEGER NOT NULL, attempt INTEGER NOT NULL, owner_id INTEGER NOT NULL, uuid BLOB NOT NULL,
    epoch INTEGER NOT NULL, job INTEGER NOT NULL, milestone INTEGER NOT NULL,
    from_attempt INTEGER NOT NULL, from_step INTEGER NOT NULL, cores TEXT NOT NULL,
    leased_us INTEGER NOT NULL, started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL,
    host INTEGER NOT NULL, hardware INTEGER NOT NULL, versions INTEGER NOT NULL,
    step INTEGER NOT NULL, "end" INTEGER NOT NULL, cause INTEGER NOT NULL, text TEXT NOT NULL,
    exit_code INTEGER NOT NULL, signal INTEGER NOT NULL, cpu_s REAL NOT NULL,
    max_rss INTEGER NOT NULL,
    PRIMARY KEY (run, attempt)) WITHOUT ROWID;

-- Parameters as the text that trackers know.
CREATE TABLE param(
    run INTEGER NOT NULL, name INTEGER NOT NULL, owner_id INTEGER NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (run, name)) WITHOUT ROWID;

-- seq: of the event that brought it. attempt 0: a score from outside training. The newest value of
-- a name is the last row of (run, name), one seek away: there is no table of newest values.
CREATE TABLE metric(
    run INTEGER NOT NULL, name INTEGER NOT NULL, step INTEGER NOT NULL, seq INTEGER NOT NULL,
    owner_id INTEGER NOT NULL, attempt INTEGER NOT NULL, wall_us INTEGER NOT NULL,
    value REAL NOT NULL, is_nan INTEGER NOT NULL,
    PRIMARY KEY (run, name, step, seq)) WITHOUT ROWID;

-- What a later attempt, started from an earlier checkpoint, undid.
CREATE TABLE metric_superseded(
    run INTEGER NOT NULL, name INTEGER NOT NULL, step INTEGER NOT NULL, seq INTEGER NOT NULL,
    owner_id INTEGER NOT NULL, attempt INTEGER NOT NULL, wall_us INTEGER NOT NULL,
    value REAL NOT NULL, is_nan INTEGER NOT NULL,
    PRIMARY KEY (run, name, step, seq)) WITHOUT ROWID;

CREATE TABLE tag(
    run INTEGER NOT NULL, key TEXT NOT NULL, owner_id INTEGER NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (run, key)) WITHOUT ROWID;

CREATE TABLE dataset(
    id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL,
    source TEXT NOT NULL, profile TEXT NOT NULL, UNIQUE (name, digest));
CREATE TABLE input(
    run INTEGER NOT NULL, dataset INTEGER NOT NULL, owner_id INTEGER NOT NULL,
    PRIMARY KEY (run, dataset)) WITHOUT ROWID;

-- Content-addressed files of a run; its kept checkpoints have the name 'checkpoint', its final
-- model 'model'.
CREATE TABLE artifact(
    run INTEGER NOT NULL, name TEXT NOT NULL, step INTEGER NOT NULL, attempt INTEGER NOT NULL,
    owner_id INTEGER NOT NULL, path TEXT NOT NULL, sha BLOB NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (run, name, step, attempt)) WITHOUT ROWID;

CREATE TABLE worker(
    id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL, uuid BLOB NOT NULL UNIQUE,
    host TEXT NOT NULL, hardware TEXT NOT NULL, cores INTEGER NOT NULL, memory INTEGER NOT NULL,
    fit TEXT NOT NULL, version TEXT NOT NULL, joined_us INTEGER NOT NULL,
    joined_seq INTEGER NOT NULL, gone_us INTEGER NOT NULL, cause INTEGER NOT NULL,
    text TEXT NOT NULL);

-- @migration 2
-- Files are content-addressed, so one may be on record several times, of several studies: before it
-- is removed, its path is looked up.
CREATE INDEX artifact_of_path ON artifact(path);

-- @migration 3
-- Of a study with several objectives or constraints: all values and the violation, as JSON.
ALTER TABLE run ADD COLUMN outcome TEXT NOT NULL DEFAULT '';

-- @migration 4
-- Of a trial of a population: 1 + number of the trial from whose checkpoint it starts, and whose
-- turn of training it is, from 1.
ALTER TABLE run ADD COLUMN parent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN member INTEGER NOT NULL DEFAULT 0;
