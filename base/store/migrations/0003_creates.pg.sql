-- What a create need not read, and need not write.

-- A create reads the rows of its model, not all of its price book's.
CREATE INDEX price_row_by_model ON price_row (book, version, model);
-- The number of an event is one more than its tenant's last: there is no counter beside it, and
-- who drops old events leaves each tenant's last one.
ALTER TABLE account DROP COLUMN event_seq;
-- The server looks each of these up again with every row, and locks the row that it finds for
-- all who write. No statement deletes a tenant, an upstream or a task, their numbers are
-- assigned once, and a task's other rows name it in the transaction that adds it or later.
ALTER TABLE task DROP CONSTRAINT task_tenant_id_fkey, DROP CONSTRAINT task_account_id_fkey,
    DROP CONSTRAINT task_credential_id_fkey;
ALTER TABLE task_count DROP CONSTRAINT task_count_tenant_id_fkey;
ALTER TABLE attempt DROP CONSTRAINT attempt_task_id_fkey;
ALTER TABLE event DROP CONSTRAINT event_task_id_fkey;
ALTER TABLE ledger DROP CONSTRAINT ledger_tenant_id_fkey;
ALTER TABLE hold DROP CONSTRAINT hold_tenant_id_fkey;
