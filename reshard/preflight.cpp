#include "reshard/preflight.hpp"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "reshard/bucket_configs.hpp"
#include "reshard/copy.hpp"
#include "reshard/counts.hpp"
#include "reshard/database.hpp"
#include "reshard/key_scan.hpp"
#include "reshard/preflight_routers.hpp"
#include "reshard/preflight_surroundings.hpp"
#include "reshard/preflight_tables.hpp"
#include "reshard/schema.hpp"
#include "reshard/unique_values.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;
using backends::postgres::Session;
using backends::postgres::SessionError;

constexpr int kOldestServer = 110000;
constexpr std::uint64_t kPreflightGroupRows = 20'000;
constexpr std::uint64_t kKeysListed = 3;
constexpr const char* kReachable =
    "both shards must be reachable by the URLs of the configuration (--apply-from, --apply-to: for "
    "the apply connections)";

/// One preflight: sessions, and what has been found.
class PreflightLook {
 public:
  PreflightLook(const Plan& plan, Routers& routers, const ring::Ring& ring,
                const std::vector<Side>& shards)
      : plan_(plan), routers_(routers), ring_(ring), shards_(shards), source_(plan, Role::source),
        target_(plan, Role::target) {}

  Preflight run(bool whole) {
    if (!connected(source_) || !connected(target_)) return std::move(found_);
    server(source_);
    server(target_);
    if (!found_.obstacles.empty()) return std::move(found_);
    look_at_surroundings(source_, target_, found_);
    older_plans();
    target_so_far();
    buckets(whole);
    if (plan_.reverts == 0)
      look_at_missing(plan_, source_, target_, bucket_configs(source_.owner()), found_);
    const auto applications = look_at_routers(plan_, routers_, source_, found_);
    // Whose sessions a router's are, it says itself.
    if (applications)
      for (Database* each : {&source_, &target_}) look_at_clients(*each, *applications, found_);
    return std::move(found_);
  }

 private:
  void obstacle(const std::string& what, const std::string& advice) {
    found_.obstacles.push_back({what, advice});
  }

  bool connected(Database& database) {
    try {
      database.connect();
      return true;
    } catch (const Waiting& away) {
      obstacle(away.what(), kReachable);
      return false;
    } catch (const SessionError& error) {
      const bool denied = error.sqlstate == "42501";
      const bool pooled = error.sqlstate == backends::postgres::kNotKeptState;
      obstacle(error.what(), denied   ? "the apply connection must be a superuser's, or one with "
                                        "GRANT SET ON PARAMETER session_replication_role"
                             : pooled ? "name the server itself in the URL"
                                      : kReachable);
      return false;
    }
  }

  void server(Database& database) {
    const std::string where = std::string(database.role_name()) + " " + database.side().pnode;
    Session& session = database.owner();
    const Rows facts = session.run(
        "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), "
        "has_database_privilege(current_database(), 'CREATE'), current_user, "
        "current_setting('server_encoding')");
    if (std::stoi(facts.string(0, 0)) < kOldestServer)
      obstacle(where + ": PostgreSQL is older than 11", "upgrade it: older ones have no sha256()");
    if (facts.text(0, 1) == "t")
      obstacle(where + ": the server is a standby", "name the primary in its URL");
    if (facts.text(0, 2) == "f")
      obstacle(where + ": " + facts.string(0, 3) + " may not make schemas",
               "GRANT CREATE ON DATABASE … TO " + facts.string(0, 3));
    if (facts.text(0, 4) != "UTF8")
      obstacle(where + ": the encoding is " + facts.string(0, 4),
               "only UTF8 databases hold what moray stores");
    const Rows standbys = database.apply().run(
        "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = "
        "'async'");
    if (standbys.string(0, 0) != "0")
      found_.warnings.push_back(where +
                                ": standbys are asynchronous; those that are connected at the "
                                "cutover are waited for, others may lack its last moments");
  }

  /// As the upgrade of the schema, which refuses what is under way.
  void older_program(Database& database) {
    Session& session = database.owner();
    if (session.run("SELECT 1 WHERE to_regclass('moray_router.reshard_plan') IS NOT NULL")
            .count() == 0)
      return;
    const Rows running = session.run(
        "SELECT min(p.plan) FROM moray_router.reshard_plan p WHERE (p.state IN ('preparing', "
        "'capturing', 'fenced', 'guarded', 'cleaning') OR (p.role = 'target' AND p.state = "
        "'committed')) AND EXISTS (SELECT 1 FROM moray_router.reshard_vnode v WHERE v.plan = "
        "p.plan "
        "AND NOT EXISTS (SELECT 1 FROM moray_router.reshard_plan q JOIN moray_router.reshard_vnode "
        "w "
        "ON w.plan = q.plan WHERE w.vnode = v.vnode AND q.plan > p.plan AND q.state <> "
        "'aborted'))");
    if (!running.null(0, 0))
      obstacle("plan " + running.string(0, 0) + " at the " + database.role_name() +
                   " was begun by an older program, and is not over",
               "end it with that program first");
  }

  void older_plans() {
    for (Database* each : {&source_, &target_}) {
      if (!each->has_schema()) {
        older_program(*each);
        continue;
      }
      const bool source = each->role() == Role::source;
      // A vnode's newest plan alone counts: older ones are over, or were taken back.
      const Rows mine = each->owner().run(
          "SELECT v.vnode, p.plan FROM moray_router.reshard_vnode v JOIN moray_router.reshard_plan "
          "p ON p.plan = v.plan WHERE p.plan NOT IN ($1::bigint, "
          "$2::bigint) AND (p.state IN ('preparing', 'capturing', 'fenced', 'guarded', 'cleaning') "
          "OR (p.role = 'target' AND p.state = 'committed')) AND NOT "
          "EXISTS (SELECT 1 FROM moray_router.reshard_vnode w JOIN moray_router.reshard_plan q ON "
          "q.plan = w.plan WHERE w.vnode = v.vnode AND w.plan > v.plan "
          "AND q.state <> 'aborted') ORDER BY p.plan",
          {plan_.name(), std::to_string(plan_.reverts)});
      std::uint64_t shared = 0;
      std::string other;
      for (int i = 0; i < mine.count(); ++i)
        if (plan_.vnodes.contains(static_cast<ring::Vnode>(std::stoul(mine.string(i, 0)))) &&
            shared++ == 0)
          other = mine.string(i, 1);
      if (shared > 0)
        obstacle("plan " + other + " at the " + each->role_name() + " is not over, and has " +
                     std::to_string(shared) + " of these vnodes",
                 source ? "finish it, abort it or roll it back first" : "finish or abort it first");
    }
  }

  void buckets(bool whole) {
    const auto here = bucket_configs(source_.owner()), there = bucket_configs(target_.owner());
    if (here.empty())
      obstacle("the source has no buckets", "is its URL that of the shard's database?");
    for (const BucketConfig& config : here) {
      const bool derived = std::find(plan_.buckets.derived.begin(), plan_.buckets.derived.end(),
                                     config.name) != plan_.buckets.derived.end();
      if (derived) derived_bucket(config.name);
      const auto active =
          nlohmann::json::parse(config.reindex_active.value_or("{}"), nullptr, false);
      if (active.is_object() && !active.empty())
        obstacle("bucket " + config.name + " is being reindexed",
                 "run reindexObjects to its end first");
      const auto same = std::find_if(there.begin(), there.end(), [&](const BucketConfig& each) {
        return each.name == config.name;
      });
      if (same != there.end() && !config.same(*same))
        obstacle("bucket " + config.name + " is configured differently at the two shards",
                 "updateBucket, so that index, triggers and options agree");
    }
    for (const BucketConfig& config : routed(here, plan_.buckets)) bucket(config, whole);
  }

  void derived_bucket(const std::string& name) {
    const auto table = read_table(source_.owner(), name);
    if (!table || source_.owner().run("SELECT 1 FROM " + table->name + " LIMIT 1").count() == 0)
      return;
    if (name != kDirectoryCounts)
      return obstacle("bucket " + name + " is derived from other rows, and how is not known here",
                      "empty it, and have it made anew afterwards; or take it out of \"derived\" "
                      "if its rows are nobody's but their vnodes'");
    const auto counted = read_table(source_.owner(), kCountedBucket),
               there = read_table(target_.owner(), name);
    if (!counted || counted->column("dirname") == nullptr || table->column("entries") == nullptr ||
        (there && there->column("entries") == nullptr))
      obstacle("bucket " + name + " has no column entries at both shards, or " + kCountedBucket +
                   " none that is called dirname",
               "updateBucket, so that both are as Manta makes them");
  }

  void bucket(const BucketConfig& config, bool whole) {
    const auto source = read_table(source_.owner(), config.name);
    if (!source)
      return obstacle("bucket " + config.name + " has no table at the source",
                      "repair its bucket first");
    if (source->column("_vnode") == nullptr)
      return obstacle("bucket " + config.name + ": its table has no _vnode",
                      "add the column, and run ring backfill-vnodes");
    look_at_table(source_, *source, found_);
    if (!source->indexed_by_vnode)
      found_.warnings.push_back(
          "bucket " + config.name +
          " has no index by _vnode: it is read whole, and its cleanup is slow");
    const double share =
        whole ? vnodes_right(*source)
              : static_cast<double>(plan_.vnodes.size()) / static_cast<double>(owned_vnodes());
    if (!whole) found_.rows += source->rows_about * share;
    found_.bytes += source->bytes_about * share;
    const auto target = read_table(target_.owner(), config.name);
    if (!target) return;
    look_at_table(target_, *target, found_);
    look_at_likeness(source_, target_, *source, *target, found_);
    for (const char* needed : {"_key", "_vnode"})
      if (target->column(needed) == nullptr) return;
    if (plan_.reverts != 0) return;
    rows_at_target(*target, whole);
    if (found_.populated) populated(*source, *target);
  }

  [[nodiscard]] std::uint64_t owned_vnodes() const {
    const auto owner = ring_.pnode_named(plan_.from.pnode);
    return std::max<std::uint64_t>(plan_.vnodes.size(), owner ? ring_.vnodes_of(*owner).size() : 1);
  }

  /// Every row's own vnode against its key's. The part of the rows that moves.
  double vnodes_right(const Table& table) {
    std::uint64_t wrong = 0, rows = 0, moving = 0;
    std::string first;
    scan_keys(source_.owner(), table, Scan::all,
              [&](std::string_view key, std::optional<std::uint64_t> stored) {
                const std::uint64_t vnode = vnode_of_key(ring_, table.bucket, key);
                ++rows;
                if (plan_.vnodes.contains(static_cast<ring::Vnode>(vnode))) ++moving;
                if (!stored || *stored == vnode) return;
                if (wrong++ < kKeysListed) first += (first.empty() ? "" : ", ") + std::string(key);
              });
    if (wrong > 0)
      obstacle("bucket " + table.bucket + ": " + std::to_string(wrong) +
                   " rows of the source say another vnode than their keys have (" + first + ")",
               "correct _vnode in them: they would stay behind");
    found_.rows += static_cast<double>(moving);
    return rows == 0 ? 0 : static_cast<double>(moving) / static_cast<double>(rows);
  }

  /// By what they say, and by their keys: a row that says another vnode than its key has, or none,
  /// would be that key's object again once the vnodes are the target's.
  void rows_at_target(const Table& target, bool whole) {
    std::uint64_t rows = 0;
    for (const VnodeGroup& group :
         groups_of(plan_.vnodes, target, owned_vnodes(), kPreflightGroupRows))
      rows += std::stoull(target_.owner()
                              .run("SELECT count(*) FROM " + target.name + " WHERE _vnode = ANY(" +
                                   group_sql(group) + ")")
                              .string(0, 0));
    std::string first;
    const std::uint64_t strays =
        find_strays(target_.owner(), target, ring_, plan_.vnodes,
                    whole ? Scan::all : Scan::without_vnode, [&](const auto& keys) {
                      if (first.empty()) first = keys.front();
                    });
    if (rows + strays > 0)
      obstacle(
          "bucket " + target.bucket + ": the target has " + std::to_string(rows + strays) +
              " rows of these vnodes already" +
              (strays == 0 ? ""
                           : ", " + std::to_string(strays) +
                                 " of which say another vnode than their keys have, or none (" +
                                 first + ")"),
          "delete them at the target if they are left over from an older move");
    const bool any = target_.owner().run("SELECT 1 FROM " + target.name + " LIMIT 1").count() > 0;
    found_.populated = found_.populated || any;
    if (any && owns_none_ && !other_plan_)
      obstacle("bucket " + target.bucket + ": the target owns no vnode, and has rows",
               "delete them, or name another target");
  }

  /// Other rows are there: unique values of moving rows must not be taken by them.
  void populated(const Table& source, const Table& target) {
    if (source.column("_idx") != nullptr)
      return obstacle(
          "bucket " + source.bucket + " has an extended id (_idx), and the target has rows",
          "move these vnodes to a shard without rows");
    const auto mine = groups_of(plan_.vnodes, source, owned_vnodes(), kPreflightGroupRows);
    for (const UniqueKey& unique : keys_of_both(source, target))
      for (const VnodeGroup& group : mine) {
        const RowsThere moving{source_.owner(), source, SomeRows::of_vnodes(group)};
        for (const TakenValue& taken :
             taken_values(unique, moving, {target_.owner(), target, SomeRows::all()}, 1))
          obstacle("bucket " + source.bucket + ": " + taken.what +
                       " of a row that moves is taken at the target, by key " + taken.key,
                   "change one of the two rows");
        for (const ComingRows& other : coming_) taken_by_coming(unique, moving, other);
      }
  }

  /// The target's may still lack what another plan is making there.
  std::vector<UniqueKey> keys_of_both(const Table& source, const Table& target) {
    std::vector<UniqueKey> all = unique_keys(source_.owner(), source);
    for (UniqueKey& each : unique_keys(target_.owner(), target))
      if (std::none_of(all.begin(), all.end(),
                       [&](const UniqueKey& other) { return other.same(each); }))
        all.push_back(std::move(each));
    return all;
  }

  void taken_by_coming(const UniqueKey& unique, const RowsThere& moving, const ComingRows& other) {
    const auto theirs = read_table(*other.source, moving.table.bucket);
    if (!theirs) return;
    for (const TakenValue& taken : taken_values(
             unique, moving, {*other.source, *theirs, SomeRows::of_vnodes(other.vnodes)}, 1))
      obstacle("bucket " + moving.table.bucket + ": " + taken.what +
                   " of a row that moves is that of a row which plan " + other.plan +
                   " moves to the target, too: key " + taken.key + " at " + other.pnode,
               "change one of the two rows");
  }

  /// As the routers say, where they do; else by the configuration's ring.
  void target_so_far() {
    const auto owner = ring_.pnode_named(plan_.to.pnode);
    owns_none_ = !owner || ring_.vnodes_of(*owner).empty();
    other_plan_ = target_.has_schema() &&
                  target_.owner()
                          .run(
                              "SELECT 1 FROM moray_router.reshard_plan WHERE plan <> $1::bigint "
                              "AND role = 'target' AND state <> 'aborted' LIMIT 1",
                              {plan_.name()})
                          .count() > 0;
    found_.populated = !owns_none_ || other_plan_;
    if (other_plan_ && plan_.reverts == 0)
      coming_ = coming_rows(target_.owner(), plan_.name(), shards_, found_.warnings);
  }

  const Plan& plan_;
  Routers& routers_;
  const ring::Ring& ring_;
  const std::vector<Side>& shards_;
  std::vector<ComingRows> coming_;
  Database source_, target_;
  Preflight found_;
  bool owns_none_ = true;    // the target has no vnode
  bool other_plan_ = false;  // another plan brings it rows, or has
};

}  // namespace

Preflight preflight(const Plan& plan, Routers& routers, const ring::Ring& ring, bool whole,
                    const std::vector<Side>& shards) {
  return PreflightLook(plan, routers, ring, shards).run(whole);
}

}  // namespace reshard
