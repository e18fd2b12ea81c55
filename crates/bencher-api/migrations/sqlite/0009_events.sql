-- The same tables as in PostgreSQL. There is one writer, so that the ids are in the order of the commits without more ado.
-- What changed, in the order in which it was committed: for those who follow jobs, reports and runners, and for the rest of the server.
-- Old rows are removed; the newest one never is, so that the greatest id is always known.
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- job, report, runner; session: a runner has a new connection, or none that is good (`session` is NULL then).
    kind TEXT NOT NULL,
    -- Of jobs and reports. No reference: deleted jobs leave their events behind until these are old.
    project_id BIGINT,
    -- The UUID of what changed.
    subject TEXT NOT NULL,
    -- Of jobs.
    status BIGINT,
    attempt BIGINT,
    report TEXT,
    -- Of runners.
    state TEXT,
    session TEXT,
    created BIGINT NOT NULL
);

-- The connection that a runner made last.
ALTER TABLE runner ADD COLUMN session TEXT;

CREATE TRIGGER job_created AFTER INSERT ON job BEGIN
    INSERT INTO event (kind, project_id, subject, status, attempt, report, created) VALUES (
        'job', NEW.project_id, NEW.uuid, NEW.status, NEW.attempt, (SELECT uuid FROM report WHERE id = NEW.report_id), NEW.modified
    );
END;

CREATE TRIGGER job_changed AFTER UPDATE ON job WHEN OLD.status <> NEW.status OR OLD.attempt <> NEW.attempt BEGIN
    INSERT INTO event (kind, project_id, subject, status, attempt, report, created) VALUES (
        'job', NEW.project_id, NEW.uuid, NEW.status, NEW.attempt, (SELECT uuid FROM report WHERE id = NEW.report_id), NEW.modified
    );
    -- What the job measured is in its report.
    INSERT INTO event (kind, project_id, subject, created)
        SELECT 'report', NEW.project_id, uuid, NEW.modified FROM report WHERE NEW.status = 4 AND id = NEW.report_id;
END;

CREATE TRIGGER report_created AFTER INSERT ON report BEGIN
    INSERT INTO event (kind, project_id, subject, created) VALUES ('report', NEW.project_id, NEW.uuid, NEW.created);
END;

CREATE TRIGGER runner_created AFTER INSERT ON runner BEGIN
    INSERT INTO event (kind, subject, state, created) VALUES ('runner', NEW.uuid, NEW.state, NEW.modified);
END;

CREATE TRIGGER runner_changed AFTER UPDATE ON runner
    WHEN OLD.state <> NEW.state OR OLD.modified <> NEW.modified OR OLD.version IS NOT NEW.version
BEGIN
    INSERT INTO event (kind, subject, state, created)
        VALUES ('runner', NEW.uuid, NEW.state, MAX(NEW.modified, COALESCE(NEW.last_heartbeat, 0)));
END;

CREATE TRIGGER runner_session AFTER UPDATE ON runner
    WHEN OLD.session IS NOT NEW.session OR OLD.key_hash <> NEW.key_hash OR (OLD.archived IS NULL AND NEW.archived IS NOT NULL)
BEGIN
    INSERT INTO event (kind, subject, session, created) VALUES (
        'session', NEW.uuid, CASE WHEN OLD.session IS NOT NEW.session THEN NEW.session END,
        MAX(NEW.modified, COALESCE(NEW.last_heartbeat, 0))
    );
END;
