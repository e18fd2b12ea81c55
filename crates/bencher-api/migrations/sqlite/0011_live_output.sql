-- The same changes as in PostgreSQL.
-- What jobs print while they run, where they asked for that: gone as soon as the whole of their output is there.
CREATE TABLE job_output (
    job_id BIGINT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    attempt BIGINT NOT NULL,
    -- Counts from 0 within the attempt; some may be missing.
    sequence BIGINT NOT NULL,
    -- Whether it is of a warm-up run.
    warmup BIGINT NOT NULL,
    iteration BIGINT NOT NULL,
    -- stdout or stderr.
    stream TEXT NOT NULL,
    -- Where in the stream's text it begins, in bytes.
    position BIGINT NOT NULL,
    -- UTF-8. Not a text, because PostgreSQL's have no NUL, and benchmarks print what they like.
    content BLOB NOT NULL,
    -- The bytes of this and of all before it in the attempt.
    total BIGINT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (job_id, attempt, sequence)
);

-- Of output: which piece.
ALTER TABLE event ADD COLUMN sequence BIGINT;

CREATE TRIGGER job_printed AFTER INSERT ON job_output BEGIN
    INSERT INTO event (kind, project_id, subject, attempt, sequence, created)
        SELECT 'output', project_id, uuid, NEW.attempt, NEW.sequence, NEW.created FROM job WHERE id = NEW.job_id;
END;
