#pragma once

#include <string>
#include <vector>

namespace test_support {

/// SQL of a client that minds nobody: what it sets, opens, locks, makes, or can't be served. None
/// of it changes a bucket, its rows or the server. `bucket`: one that may be there.
inline std::vector<std::string> hostile_scripts(const std::string& bucket) {
  return {
      "SET search_path TO nowhere",
      "SET TimeZone TO 'Asia/Kathmandu'; SET DateStyle TO 'German, DMY'; SET IntervalStyle TO "
      "'iso_8601'",
      "SET client_encoding TO 'LATIN1'",
      "SET statement_timeout TO 1; SET lock_timeout TO 1",
      "SET default_transaction_read_only TO on",
      "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
      "SET standard_conforming_strings TO off; SET backslash_quote TO off",
      "SET extra_float_digits TO -15; SET bytea_output TO 'escape'",
      "SET session_replication_role TO replica",
      "SET row_security TO off; SET enable_indexscan TO off; SET work_mem TO '64kB'",
      "SET ROLE pg_monitor",
      "SET lc_messages TO 'C'; SET lc_numeric TO 'C'; SET xmloption TO document",
      "CREATE TEMPORARY TABLE " + bucket + " (_key text, _value text)",
      "CREATE TEMPORARY TABLE buckets_config (name text)",
      "CREATE TEMPORARY TABLE pg_class (oid oid)",
      "SELECT pg_advisory_lock(1), pg_advisory_lock_shared(2)",
      "PREPARE one AS SELECT 1; EXECUTE one",
      "DEALLOCATE ALL",
      "DISCARD ALL",
      "LISTEN everything",
      "UNLISTEN *",
      "DECLARE cursor CURSOR WITH HOLD FOR SELECT generate_series(1, 1000)",
      "COPY (SELECT generate_series(1, 1000)) TO STDOUT",
      "COPY " + bucket + " FROM STDIN",
      "BEGIN",
      "BEGIN; SELECT * FROM " + bucket + " FOR UPDATE",
      "BEGIN; DELETE FROM " + bucket + "; ROLLBACK",
      "BEGIN; LOCK TABLE " + bucket + " IN ACCESS EXCLUSIVE MODE",
      "BEGIN; UPDATE buckets_config SET options = '{}'; ROLLBACK",
      "BEGIN; DROP TABLE " + bucket + "; ROLLBACK",
      "BEGIN; SELECT 1/0",
      "SAVEPOINT nowhere",
      "COMMIT; BEGIN; DELETE FROM " + bucket + "; ROLLBACK; COMMIT",
      "SELECT 1; SELECT nothing; DELETE FROM " + bucket,
      "DO $$ BEGIN RAISE NOTICE 'a notice'; RAISE EXCEPTION 'an exception'; END $$",
      "-- a comment alone",
      ";;;",
      "",
      "SELECT repeat('x', 1000000)",
      "SELECT 'unended",
      "SELECT pg_terminate_backend(pg_backend_pid())",
      "PREPARE TRANSACTION 'two'",
      "NOTIFY everything, 'x'",
      "RESET ALL",
      "SET SESSION AUTHORIZATION DEFAULT",
  };
}

}  // namespace test_support
