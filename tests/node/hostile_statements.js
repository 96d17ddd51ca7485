'use strict';
// SQL that hostile clients send: it may fail, and may hurt nobody else. Each is of a kind, by which it is counted. `any`: numbers
// drawn; `tables`: of honest clients.
const KINDS = {
  settings: [
    () => "SET search_path = pg_temp, pg_catalog", () => "SET TimeZone = 'Asia/Kolkata'", () => "SET client_encoding = 'LATIN1'; SELECT 'ü'",
    () => 'SET statement_timeout = 1', () => 'SET default_transaction_read_only = on', () => "SET lc_messages = 'C'; SET DateStyle = 'German'",
    () => 'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY', () => 'SET SESSION CHARACTERISTICS AS TRANSACTION DEFERRABLE',
    () => 'SET ROLE pg_monitor', () => 'SET SESSION AUTHORIZATION nobody_else', () => 'SET session_replication_role = replica', () => 'SET lock_timeout = 1',
    () => 'SET standard_conforming_strings = off', () => 'SET enable_indexscan = off', () => "SET bytea_output = 'escape'; SET extra_float_digits = -15",
    () => "SELECT set_config('search_path', 'nowhere', false), set_config('TimeZone', 'America/Caracas', false)", () => 'SET work_mem = 64', () => 'SET idle_in_transaction_session_timeout = 1; SELECT pg_sleep(0.02)',
    () => "DO $$ BEGIN PERFORM set_config('search_path', 'pg_temp', false); SET TimeZone = 'Asia/Tokyo'; END $$",
    () => "COMMIT; SET search_path = nowhere; SET statement_timeout = 3; BEGIN", () => 'RESET ALL', () => 'SET jit_above_cost = 0; SET jit = on',
  ],
  temporary: [
    (any, tables) => `CREATE TEMPORARY TABLE ${tables[0]} (_key text, _value text)`, () => 'CREATE TEMPORARY TABLE buckets_config AS SELECT * FROM public.buckets_config',
    (any, tables) => `COMMIT; CREATE TEMPORARY TABLE ${tables[0]} (LIKE public.${tables[0]} INCLUDING ALL); INSERT INTO ${tables[0]} SELECT * FROM public.${tables[0]} LIMIT 10; BEGIN`,
    (any, tables) => `CREATE TEMPORARY VIEW ${tables[0]} AS SELECT 1 AS _key`, () => "CREATE FUNCTION pg_temp.jsonb_typeof(jsonb) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
    () => 'DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 1000); COMMIT; BEGIN',
  ],
  locks: [
    (any) => `SELECT pg_advisory_lock(${any(5)})`, (any) => `COMMIT; SELECT pg_advisory_lock(${any(5)}), pg_sleep(0.05); BEGIN`, (any) => `SELECT pg_advisory_xact_lock(${any(5)}), pg_sleep(0.05)`,
    (any, tables) => `LOCK TABLE ${tables[0]}; SELECT pg_sleep(0.${1 + any(2)})`, (any, tables) => `LOCK TABLE ${tables[0]} IN SHARE MODE; SELECT pg_sleep(0.${any(2)}5)`,
    () => 'LOCK TABLE buckets_config; SELECT pg_sleep(0.1)', (any, tables) => `SELECT count(*) FROM (SELECT 1 FROM ${tables[0]} FOR UPDATE) rows; SELECT pg_sleep(0.1)`,
    (any, tables) => `LOCK TABLE ${tables[any(2)]} IN EXCLUSIVE MODE; SELECT pg_sleep(0.03); LOCK TABLE ${tables[any(2)]}`,
  ],
  prepared: [
    () => 'PREPARE load_bucket AS SELECT 1; EXECUTE load_bucket', () => 'DEALLOCATE ALL', () => 'DISCARD ALL', () => 'COMMIT; DISCARD ALL; BEGIN', () => 'DISCARD PLANS; DISCARD SEQUENCES',
    () => "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$", () => "PREPARE TRANSACTION 'hostile'",
  ],
  channels: [() => 'LISTEN "channel 1"', () => 'UNLISTEN *', () => 'COMMIT; LISTEN hostile; BEGIN', () => "NOTIFY hostile, 'x'", () => "DO $$ BEGIN EXECUTE 'LISTEN hostile'; END $$"],
  copies: [(any, tables) => `COPY ${tables[0]} TO STDOUT`, (any, tables) => `COPY ${tables[0]} FROM STDIN`, () => 'COPY (SELECT generate_series(1, 100000)) TO STDOUT (FORMAT binary)', (any, tables) => `SELECT 1; COPY ${tables[0]} TO STDOUT; SELECT 2`],
  transactions: [
    () => 'BEGIN', () => 'BEGIN; BEGIN; SELECT 1', () => 'COMMIT', () => 'COMMIT; BEGIN', () => 'ROLLBACK; SELECT 1', () => 'COMMIT AND CHAIN', () => 'BEGIN; SELECT 1/0', () => 'SELECT 1; SELECT nothing; SELECT 2',
    () => 'SAVEPOINT a; SELECT 1/0', () => 'ROLLBACK; SET TRANSACTION READ ONLY', () => 'COMMIT; START TRANSACTION READ ONLY ISOLATION LEVEL SERIALIZABLE', () => 'ABORT; ABORT; SELECT nothing; BEGIN',
    () => "DO $$ BEGIN COMMIT; END $$", (any, tables) => `DELETE FROM ${tables[0]}; SELECT 1/0`, (any, tables) => `TRUNCATE ${tables[0]}; ROLLBACK; BEGIN`,
  ],
  tables: [
    (any, tables) => `ALTER TABLE ${tables[0]} ADD COLUMN zz text; ALTER TABLE ${tables[0]} DROP COLUMN zz`,
    (any, tables) => `ALTER TABLE ${tables[0]} ADD COLUMN zz${any(3)} text; COMMIT; ALTER TABLE ${tables[0]} DROP COLUMN IF EXISTS zz0, DROP COLUMN IF EXISTS zz1, DROP COLUMN IF EXISTS zz2; BEGIN`,
    (any, tables) => `CREATE INDEX zz_index ON ${tables[0]} (_etag); COMMIT; DROP INDEX zz_index; BEGIN`, (any, tables) => `ANALYZE ${tables[0]}`,
    (any, tables) => `ALTER TABLE ${tables[0]} RENAME TO elsewhere; ALTER TABLE elsewhere RENAME TO ${tables[0]}`, (any, tables) => `DROP TABLE ${tables[0]}; ROLLBACK; BEGIN`,
    (any, tables) => `ALTER TABLE ${tables[0]} ALTER COLUMN _etag SET NOT NULL`, (any, tables) => `REINDEX TABLE ${tables[0]}`, (any, tables) => `ALTER TABLE ${tables[0]} ALTER COLUMN _value SET STORAGE EXTERNAL`,
    (any, tables) => `COMMENT ON TABLE ${tables[0]} IS 'x${any(9)}'`, (any, tables) => `CLUSTER ${tables[0]} USING ${tables[0]}_pkey`,
  ],
  nothing: [() => '', () => '-- only a comment', () => '/* only /* a nested */ comment */', () => ';;;', () => ';', () => '\u0000', () => "SELECT 'a\u0000b'", () => 'SELECT', () => "SELECT '", () => `SELECT ${'('.repeat(3000)}1${')'.repeat(3000)}`, () => `SELECT ${Array(2000).fill(1)}`],
  slow: [(any) => `SELECT pg_sleep(0.${1 + any(2)})`, () => 'SELECT sum(a * b) FROM generate_series(1, 400) a, generate_series(1, 400) b', () => "SELECT repeat('x', 1000000)", () => 'SELECT generate_series(1, 4000) AS n'],
  ends: [() => 'SELECT pg_terminate_backend(pg_backend_pid())', () => 'SELECT pg_cancel_backend(pg_backend_pid())', () => "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '57P01'; END $$", () => "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'MR001'; END $$", () => "DO $$ BEGIN RAISE WARNING 'x'; END $$"],
};

const THEIRS = "application_name LIKE 'moray-router%' AND datname = current_database() AND pid <> pg_backend_pid()";
/** Against sessions of others. */
const AGAINST_OTHERS = [
  ...Array(3).fill(`SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE ${THEIRS} ORDER BY random() LIMIT 1) one`),
  ...Array(3).fill(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE ${THEIRS} AND state = 'active'`),
  `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${THEIRS} AND state = 'active'`,
  `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${THEIRS}`,
];

module.exports = {AGAINST_OTHERS, KINDS};
