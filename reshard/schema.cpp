// A table of SQL texts, long by nature.
#include "reshard/schema.hpp"

#include <stdexcept>
#include <vector>

#include "backends/postgres/wire/identifier.hpp"

namespace reshard {
namespace {

using backends::postgres::literal;
using backends::postgres::Rows;

/// From what the first version made. A plan that is under way there has a log without vnodes, which
/// this program can't carry on: nothing is changed then. Plans that are over stay, and those that
/// a newer plan of their vnodes has taken back count as ended.
constexpr const char* kUpgrade = R"sql(
DO $do$ DECLARE
  running bigint;
BEGIN
  IF to_regclass('moray_router.reshard_plan') IS NULL OR EXISTS (
       SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('moray_router.reshard_plan')
         AND attname = 'reverts' AND NOT attisdropped) THEN RETURN; END IF;
  UPDATE moray_router.reshard_plan p SET state = 'aborted'
    WHERE state NOT IN ('done', 'aborted') AND NOT EXISTS (
      SELECT 1 FROM moray_router.reshard_vnode v WHERE v.plan = p.plan AND NOT EXISTS (
        SELECT 1 FROM moray_router.reshard_plan q
          JOIN moray_router.reshard_vnode w ON w.plan = q.plan
          WHERE w.vnode = v.vnode AND q.plan > p.plan AND q.state <> 'aborted'));
  SELECT min(plan) INTO running FROM moray_router.reshard_plan
    WHERE state IN ('preparing', 'capturing', 'fenced', 'guarded', 'cleaning')
      OR (role = 'target' AND state = 'committed');
  IF running IS NOT NULL THEN
    RAISE EXCEPTION
      'moray-router: plan % was begun by an older program, whose log this one can''t read: %',
      running, 'end it with that program first' USING ERRCODE = 'MR002';
  END IF;
  ALTER TABLE moray_router.reshard_plan ADD COLUMN reverts bigint NOT NULL DEFAULT 0,
    ADD COLUMN ids_kept boolean NOT NULL DEFAULT false,
    ALTER COLUMN base_digest DROP NOT NULL, ALTER COLUMN ring_digest DROP NOT NULL;
  DROP TABLE moray_router.reshard_log;
  DROP FUNCTION IF EXISTS moray_router.reshard_judge(bigint, text, text, text);
  DROP VIEW IF EXISTS moray_router.reshard_side;
END $do$;
)sql";

constexpr const char* kTables = R"sql(
CREATE SCHEMA IF NOT EXISTS moray_router;
COMMENT ON SCHEMA moray_router IS 'moray-router, version 2';
CREATE TABLE IF NOT EXISTS moray_router.reshard_plan (
  plan bigint PRIMARY KEY, token text NOT NULL,
  role text NOT NULL CHECK (role IN ('source', 'target')),
  state text NOT NULL CHECK (state IN ('preparing', 'capturing', 'fenced', 'guarded', 'committed',
                                       'cleaning', 'done', 'aborted')),
  attempt integer NOT NULL DEFAULT 1, epoch bigint NOT NULL DEFAULT 0,
  decided boolean NOT NULL DEFAULT false,
  generation bigint NOT NULL DEFAULT 0,
  -- The rings before and after the cutover; NULL while no attempt has bound them.
  base_digest text, ring_digest text,
  -- The plan that this one takes back; 0: none.
  reverts bigint NOT NULL DEFAULT 0,
  -- Of a target: it was empty, so that rows keep the ids that the source gave them.
  ids_kept boolean NOT NULL DEFAULT false,
  from_pnode text NOT NULL, to_pnode text NOT NULL,
  changed timestamp with time zone NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS moray_router.reshard_vnode (
  vnode bigint NOT NULL, plan bigint NOT NULL, PRIMARY KEY (vnode, plan));
CREATE TABLE IF NOT EXISTS moray_router.reshard_log (
  seq bigserial PRIMARY KEY, plan bigint NOT NULL, vnode bigint NOT NULL, bucket text NOT NULL,
  key text NOT NULL);
-- How many plans there have been. The sequence's value shows at once and to all: a transaction that
-- sees another number in the table goes by a snapshot that lacks the newest plan.
CREATE SEQUENCE IF NOT EXISTS moray_router.reshard_plans_made MINVALUE 0 START 0;
CREATE TABLE IF NOT EXISTS moray_router.reshard_plans_seen (number bigint NOT NULL);
INSERT INTO moray_router.reshard_plans_seen
  SELECT nextval('moray_router.reshard_plans_made')
    WHERE NOT EXISTS (SELECT 1 FROM moray_router.reshard_plans_seen);
-- On which side of their newest plan vnodes are here. By a ring that is neither the one before it
-- nor the one after it, its rows are another shard's where that is hidden: not there yet, or left.
-- Not replaced where it is: that would wait for every find, and have the others wait behind it.
DO $do$ BEGIN IF to_regclass('moray_router.reshard_side') IS NULL THEN
CREATE VIEW moray_router.reshard_side AS
  SELECT v.vnode, p.role, p.base_digest, p.ring_digest,
      p.state = 'guarded' OR (p.role = 'source' AND p.state IN ('committed', 'cleaning')) AS hidden
    FROM moray_router.reshard_plan p JOIN moray_router.reshard_vnode v ON v.plan = p.plan
    WHERE p.state <> 'aborted' AND NOT (p.role = 'source' AND p.state = 'done')
      AND NOT EXISTS (SELECT 1 FROM moray_router.reshard_plan q
                        JOIN moray_router.reshard_vnode w ON w.plan = q.plan
                      WHERE w.vnode = v.vnode AND q.plan > p.plan AND q.state <> 'aborted');
END IF; END $do$;
GRANT USAGE ON SCHEMA moray_router TO PUBLIC;
GRANT SELECT ON moray_router.reshard_side, moray_router.reshard_plan TO PUBLIC;
)sql";

/// As ring/key_transform.hpp, for rows that don't say their vnode; tested to agree with it.
constexpr const char* kHashedPart = R"sql(
CREATE OR REPLACE FUNCTION moray_router.directory_or_key(key text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT AS $body$
DECLARE
  path text; slash integer; directory text;
BEGIN
  IF key ~ '^/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/stor$'
    AND length(key) = 42 THEN RETURN key; END IF;
  path := rtrim(key, '/');
  IF length(path) < 1 OR length(path) = 1 THEN
    directory := CASE WHEN left(key, 1) = '/' THEN '/' ELSE '' END;
  ELSIF strpos(path, '/') = 0 THEN
    directory := '';
  ELSE
    slash := length(path) - strpos(reverse(path), '/');
    IF slash < 1 THEN directory := left(path, 1);
    ELSIF slash = 1 AND left(path, 1) = '/' THEN directory := left(path, 2);
    ELSE directory := left(path, slash);
    END IF;
  END IF;
  IF directory = '' OR directory = '.' THEN RETURN key; END IF;
  RETURN directory;
END $body$;
CREATE OR REPLACE FUNCTION moray_router.hashed_part(bucket text, key text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT AS $body$
BEGIN
  IF bucket = 'manta' OR bucket = 'testmanta' THEN
    RETURN moray_router.directory_or_key(key);
  END IF;
  IF bucket = 'manta_uploads' AND strpos(key, ':') > 0 THEN
    RETURN moray_router.directory_or_key(substr(key, strpos(key, ':') + 1));
  END IF;
  RETURN key;
END $body$;
CREATE OR REPLACE FUNCTION moray_router.hex_number(hex text) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE STRICT AS $body$
DECLARE
  digits text := lpad(hex, 64, '0'); number numeric := 0;
BEGIN
  FOR part IN 0..7 LOOP
    number := number * 4294967296 + ('x' || substr(digits, 1 + 8 * part, 8))::bit(32)::bigint;
  END LOOP;
  RETURN number;
END $body$;
)sql";

std::string vnode_of(const ring::Ring& ring) {
  std::string hash;
  switch (ring.algorithm()) {
    case ring::Algorithm::sha256:
      hash = "encode(sha256(convert_to(moray_router.hashed_part(bucket, key), 'UTF8')), 'hex')";
      break;
    case ring::Algorithm::md5:
      hash = "md5(convert_to(moray_router.hashed_part(bucket, key), 'UTF8'))";
      break;
    case ring::Algorithm::sha1:
      throw std::invalid_argument(
          "the ring hashes by sha1, for which PostgreSQL has no function: its vnodes can't be "
          "moved by a trigger's log");
  }
  return R"sql(
CREATE OR REPLACE FUNCTION moray_router.vnode_of(bucket text, key text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT AS $body$
  SELECT div(moray_router.hex_number()sql" +
         hash + "), moray_router.hex_number(" + literal(ring.interval_hex()) +
         "))::bigint\n$body$;\n";
}

/// What a write to a vnode comes to. The state is read again under the lock: a barrier that is
/// granted after the first look has not waited for this transaction (T8). Read committed and
/// VOLATILE, so that each look sees what was committed before it. A vnode's newest plan decides; a
/// newer one may appear meanwhile. At other isolations a plan that is newer than the snapshot would
/// not be seen at all.
constexpr const char* kJudge = R"sql(
CREATE OR REPLACE FUNCTION moray_router.reshard_judge(
  wanted bigint, bucket text, old_key text, new_key text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  newest record; locked bigint := NULL;
BEGIN
  -- Two conditions, since one that has queries in it is planned and run as a query itself.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    IF (SELECT last_value FROM moray_router.reshard_plans_made) IS DISTINCT FROM
       (SELECT max(number) FROM moray_router.reshard_plans_seen) THEN
      RAISE EXCEPTION 'moray-router: this transaction began before a plan was made: try it again'
        USING ERRCODE = 'MR001';
    END IF;
  END IF;
  LOOP
    SELECT p.plan, p.role, p.state, p.generation INTO newest
      FROM moray_router.reshard_vnode v JOIN moray_router.reshard_plan p ON p.plan = v.plan
      WHERE v.vnode = wanted AND p.state <> 'aborted' ORDER BY v.plan DESC LIMIT 1;
    IF NOT FOUND THEN RETURN; END IF;
    IF newest.role = 'target' AND newest.state = 'done' THEN RETURN; END IF;
    IF newest.state = 'guarded'
      OR (newest.role = 'source' AND newest.state NOT IN ('preparing', 'capturing')) THEN
      RAISE EXCEPTION 'moray-router: vnode % is fenced by plan % at generation %',
        wanted, newest.plan, newest.generation USING ERRCODE = 'MR001';
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
      RAISE EXCEPTION
        'moray-router: vnode % moves by plan %: its rows are written at READ COMMITTED only',
        wanted, newest.plan USING ERRCODE = 'MR001';
    END IF;
    EXIT WHEN locked = newest.plan;
    locked := newest.plan;
    PERFORM pg_advisory_xact_lock_shared(WRITERS, locked::integer);
  END LOOP;
  IF newest.state = 'preparing' THEN RETURN; END IF;
  IF new_key IS NOT NULL THEN
    INSERT INTO moray_router.reshard_log (plan, vnode, bucket, key)
      VALUES (newest.plan, wanted, bucket, new_key);
  END IF;
  IF old_key IS DISTINCT FROM new_key AND old_key IS NOT NULL THEN
    INSERT INTO moray_router.reshard_log (plan, vnode, bucket, key)
      VALUES (newest.plan, wanted, bucket, old_key);
  END IF;
END $body$;
)sql";

/// OLD and NEW both count: an update may lose its vnode (T2), and is given it again. Changes of
/// buckets by others than routers share the lock of all plans as routers do: a plan's row waits
/// until they are committed.
constexpr const char* kTriggers = R"sql(
CREATE OR REPLACE FUNCTION moray_router.reshard_row() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  before bigint := NULL; after bigint := NULL; old_key text := NULL; new_key text := NULL;
BEGIN
  IF TG_OP <> 'INSERT' THEN
    old_key := OLD._key;
    before := coalesce(OLD._vnode, moray_router.vnode_of(TG_ARGV[0], old_key));
  END IF;
  IF TG_OP <> 'DELETE' THEN
    new_key := NEW._key;
    IF NEW._vnode IS NULL THEN NEW._vnode := moray_router.vnode_of(TG_ARGV[0], new_key); END IF;
    after := NEW._vnode;
  END IF;
  IF after IS NOT NULL THEN
    PERFORM moray_router.reshard_judge(after, TG_ARGV[0],
                                       CASE WHEN before = after THEN old_key END, new_key);
  END IF;
  IF before IS DISTINCT FROM after AND before IS NOT NULL THEN
    PERFORM moray_router.reshard_judge(before, TG_ARGV[0], old_key, NULL);
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $body$;
CREATE OR REPLACE FUNCTION moray_router.reshard_truncate() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  running bigint;
BEGIN
  SELECT max(plan) INTO running FROM moray_router.reshard_plan
    WHERE state IN ('preparing', 'capturing', 'fenced', 'guarded')
      OR (role = 'target' AND state = 'committed');
  IF running IS NOT NULL THEN
    RAISE EXCEPTION 'moray-router: % can''t be truncated while plan % moves vnodes',
      TG_TABLE_NAME, running USING ERRCODE = 'MR001';
  END IF;
  RETURN NULL;
END $body$;
CREATE OR REPLACE FUNCTION moray_router.reshard_buckets() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
  running record;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(PLANS, 0);
  SELECT plan, from_pnode, to_pnode INTO running FROM moray_router.reshard_plan
    WHERE state IN UNDER_WAY ORDER BY plan LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION
      'moray-router: buckets can''t be changed while plan % moves vnodes from % to %',
      running.plan, running.from_pnode, running.to_pnode USING ERRCODE = 'MR001';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $body$;
)sql";

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

}  // namespace

std::string schema_sql(const ring::Ring& ring) {
  return std::string(kUpgrade) + kTables + kHashedPart + vnode_of(ring) +
         replaced(kJudge, "WRITERS", std::to_string(kWritersLock)) +
         replaced(replaced(kTriggers, "PLANS", std::to_string(kCoordinatorLock)), "UNDER_WAY",
                  backends::postgres::kPlansUnderWay);
}

std::string table_triggers_sql(backends::postgres::Session& session, const Table& table) {
  std::vector<Table::Member> all = table.members;
  all.insert(all.begin(), {table.name, table.oid});
  std::string sql;
  for (const Table::Member& each : all) {
    const Rows there = session.run(
        "SELECT count(*) FILTER (WHERE tgname = $2), count(*) FILTER (WHERE tgname = $3) FROM "
        "pg_trigger WHERE tgrelid = $1::oid",
        {std::to_string(each.oid), kTruncateTrigger, kRowTrigger});
    if (there.text(0, 0) == "0")
      sql += std::string("CREATE TRIGGER ") + kTruncateTrigger + " BEFORE TRUNCATE ON " +
             each.name + " FOR EACH STATEMENT EXECUTE PROCEDURE moray_router.reshard_truncate();\n";
    // A partition has its parent's.
    const bool inherits = table.partitioned && each.oid != table.oid;
    if (there.text(0, 1) == "0" && !inherits)
      sql += std::string("CREATE TRIGGER ") + kRowTrigger +
             " BEFORE INSERT OR UPDATE OR DELETE ON " + each.name +
             " FOR EACH ROW EXECUTE PROCEDURE moray_router.reshard_row(" + literal(table.bucket) +
             ");\n";
  }
  return sql;
}

/// One that is there stays: making it anew would wait for every writer.
std::string bucket_list_trigger_sql() {
  return std::string(
             "DO $do$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = "
             "'buckets_config'::regclass AND tgname = '") +
         kRowTrigger + "') THEN CREATE TRIGGER " + kRowTrigger +
         " BEFORE INSERT OR UPDATE OR DELETE ON buckets_config FOR EACH ROW EXECUTE PROCEDURE "
         "moray_router.reshard_buckets(); END IF; END $do$;\n";
}

/// Of the names of buckets, of which only these mean something, none gets into a statement.
std::string key_vnode(const std::string& bucket, const std::string& key) {
  const char* as = "objects";
  for (const char* each : {"manta", "testmanta", "manta_uploads"})
    if (bucket == each) as = each;
  return "moray_router.vnode_of(" + literal(as) + ", " + key + ")";
}

std::string vnode_expression(const std::string& bucket, const std::string& row) {
  return "coalesce(" + row + "._vnode, " + key_vnode(bucket, row + "._key") + ")";
}

ring::VnodeSet vnodes_in(const backends::postgres::Rows& rows) {
  std::vector<std::uint32_t> vnodes;
  for (int i = 0; i < rows.count(); ++i)
    vnodes.push_back(static_cast<std::uint32_t>(std::stoul(rows.string(i, 0))));
  return ring::VnodeSet::of(std::move(vnodes));
}

std::string vnodes_sql(const ring::VnodeSet& vnodes) {
  std::string ranges;
  for (const auto& range : vnodes.ranges())
    ranges += (ranges.empty() ? "SELECT generate_series(" : " UNION ALL SELECT generate_series(") +
              std::to_string(range.first) + "::bigint, " + std::to_string(range.last) + ") AS v";
  return ranges;
}

}  // namespace reshard
