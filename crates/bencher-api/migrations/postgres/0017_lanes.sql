-- The index of lanes is the only one of `status < 1`, which is `status = 0`: a statement that says so gets its order from this index, however
-- few jobs the database believes to wait.
DROP INDEX job_lane;
CREATE INDEX job_lane ON job (spec_id, front, project_id, labels, queued, id) WHERE status < 1;
