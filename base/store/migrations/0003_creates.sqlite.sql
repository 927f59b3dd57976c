-- What a create need not read, and need not write.

-- A create reads the rows of its model, not all of its price book's.
CREATE INDEX price_row_by_model ON price_row (book, version, model);
-- The number of an event is one more than its tenant's last: there is no counter beside it, and
-- who drops old events leaves each tenant's last one.
ALTER TABLE account DROP COLUMN event_seq;
