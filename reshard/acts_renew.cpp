// What a coordinator does where a table of the source is changed in mid-plan, and the target's is
// this plan's work: the target's becomes like it. A change of columns reaches no trigger, so that
// the log knows nothing of it: such a table is made anew, and copied again.
#include <algorithm>

#include "reshard/executor.hpp"
#include "reshard/rows.hpp"
#include "reshard/transaction.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;

/// pg_dump writes these with the table itself, and so they are not made where it is there. With a
/// constraint's name, which the target may have.
constexpr const char* kStoredAs = R"sql(
SELECT '', format('ALTER TABLE %I.%I SET (%s)', n.nspname, c.relname,
              (SELECT string_agg(format('%I = %L', split_part(o, '=', 1),
                                        substr(o, strpos(o, '=') + 1)), ', ')
                 FROM unnest(c.reloptions) o))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = $1::oid AND c.reloptions IS NOT NULL
UNION ALL
SELECT '', format('ALTER TABLE %I.%I ALTER COLUMN %I SET STORAGE %s', n.nspname, c.relname,
              a.attname,
              CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN'
                   ELSE 'EXTENDED' END)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type y ON y.oid = a.atttypid
  WHERE c.oid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attstorage <> y.typstorage
UNION ALL
SELECT k.conname, format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', n.nspname, c.relname, k.conname,
                         pg_get_constraintdef(k.oid))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'c' AND k.conislocal
  WHERE c.oid = $1::oid
)sql";

/// A class of SQLSTATE: the target's rows, which may be older than the change, break what is new.
constexpr const char* kRowsRefuse = "23";
constexpr const char* kLockWait = "BEGIN; SET LOCAL lock_timeout = '5s'";

std::string named(const TablePair& pair, const Unlikeness& what) {
  return "bucket " + pair.source.bucket + ": " + what.what;
}

/// Whether one of them is part of what rows are; `matters`: or of what rows there may be.
bool need_new_table(const std::vector<Unlikeness>& all, bool matters) {
  return std::any_of(all.begin(), all.end(), [&](const Unlikeness& each) {
    return is_structure(each) || (matters && each.matters);
  });
}

}  // namespace

/// Throws TableChanged where `make_schema` has not tried yet to mend it. What it has tried in vain
/// is left to a person.
void Executor::leave_to_renewal(const UnlikeTables& unlike) {
  if (!state_.progress.copies || !last_part_made() || unlike.empty()) return;
  const auto made = made_tables();
  std::string first;
  for (const auto& [pair, all] : unlike)
    for (const Unlikeness& each : all)
      if (made.contains(pair.source.oid) && !renewed_for_.contains(named(pair, each)) &&
          first.empty())
        first = named(pair, each);
  if (first.empty()) return;
  renewal_asked_ = true;
  throw TableChanged(first);
}

/// Where nothing has changed, one look at the catalogue. A coordinator that ends in the middle has
/// left a dump that is newer than the tables, or a table that is not there: the next one finds the
/// difference again, or makes it from that dump, and copies its rows, since no vnode counts as
/// copied from before the table is dropped.
void Executor::renew_tables() {
  const auto last = last_part_made();
  if (!last) return;
  read_tables();
  const bool noted = !state_.versions[0].empty();
  if (noted && !renewal_asked_ && versions()[0] == state_.versions[0]) return;
  renewal_asked_ = false;
  const bool whole = *last == DefinitionPart::rest;
  const auto made = made_tables();
  const auto look = [&] {
    UnlikeTables unlike = unlike_tables();
    std::erase_if(unlike, [&](const auto& each) {
      return !made.contains(each.first.source.oid) ||
             !(whole || need_new_table(each.second, false));
    });
    return unlike;
  };
  UnlikeTables unlike = look();
  std::set<std::string> changes;
  for (const auto& [pair, all] : unlike)
    for (const Unlikeness& each : all) changes.insert(named(pair, each));
  if (std::includes(renewed_for_.begin(), renewed_for_.end(), changes.begin(), changes.end()))
    return;

  std::vector<Relation> relations;
  for (const auto& [name, pair] : forward_.tables())
    if (made.contains(pair.source.oid)) add_relations(pair.source, true, relations);
  write_definitions(relations);
  bool dropped = false;
  const auto make_anew = [&](bool matters) {
    for (const auto& [pair, all] : unlike) {
      if (!need_new_table(all, matters)) continue;
      require_alone_at_target(pair.target);  // before anything counts as not copied
      state_.copied.erase(pair.source.bucket);
      state_.copied.erase(pair.source.bucket + " counts");
      state_.tables.erase(pair.source.bucket);
      state_.versions = {};
      state_.progress.verify_again = true;
      note_parts(DefinitionPart::tables);
      const std::string what =
          named(pair, all.front()) + ": the target's table is made anew, and copied again";
      record(what);
      watcher_.event(what);
      drop_for_renewal(pair.target);
      dropped = true;
    }
  };
  make_anew(false);
  try {
    make_parts(dropped ? DefinitionPart::tables : *last, source_.owner());
    store_alike(unlike);
  } catch (const backends::postgres::SessionError& error) {
    if (dropped || !error.sqlstate.starts_with(kRowsRefuse)) throw;
  }
  read_tables();
  if (!dropped) {
    unlike = look();
    make_anew(true);
    if (dropped) make_parts(DefinitionPart::tables, source_.owner());
  }
  renewed_for_.merge(changes);
  state_.progress.verify_again = true;
  record("the target's tables are made like the source's");
}

void Executor::store_alike(const UnlikeTables& unlike) {
  for (const auto& [pair, all] : unlike) {
    const Rows statements = source_.owner().run(kStoredAs, {std::to_string(pair.source.oid)});
    if (statements.count() == 0) continue;
    Transaction transaction(target_.owner(), kLockWait);
    for (int i = 0; i < statements.count(); ++i) {
      const std::string constraint = statements.string(i, 0);
      const bool there = !constraint.empty() &&
                         target_.owner()
                                 .run(
                                     "SELECT 1 FROM pg_constraint WHERE conrelid = $1::oid AND "
                                     "conname = $2",
                                     {std::to_string(pair.target.oid), constraint})
                                 .count() > 0;
      if (!there) target_.owner().run_all(statements.string(i, 1));
    }
    transaction.commit();
  }
}

/// Throws Stuck where somebody else has something in that table, or may have.
void Executor::require_alone_at_target(const Table& target) {
  const std::string bucket = "bucket " + target.bucket +
                             ": the source's table was changed, and the target's can't be made "
                             "anew, since ";
  const char* const then = ". Make the same change at the target, then retry";
  if (!require_not_owned(target_)) throw Stuck(bucket + "the target serves other vnodes" + then);
  if (const auto other = target_.plan_beside())
    throw Stuck(bucket + "plan " + std::to_string(*other) + " is at the target, too" + then);
  std::vector<std::string> vnodes;
  plan_.vnodes.each([&](ring::Vnode each) { vnodes.push_back(std::to_string(number(each))); });
  const bool others = target_.owner()
                          .run("SELECT 1 FROM " + target.name +
                                   " WHERE (_vnode = ANY($1::bigint[])) IS NOT TRUE LIMIT 1",
                               {text_array(vnodes)})
                          .count() > 0;
  if (others) throw Stuck(bucket + "it has rows that are not this plan's" + then);
}

/// Looked at once more when nobody can come in between.
void Executor::drop_for_renewal(const Table& target) {
  Transaction transaction(target_.owner(), kLockWait);
  target_.owner().run_all("LOCK TABLE " + target.name + " IN ACCESS EXCLUSIVE MODE");
  require_alone_at_target(target);
  std::string names = target.name.sql();
  for (const Table::Member& each : target.members) names += ", " + each.name.sql();
  target_.owner().run_all("DROP TABLE " + names);
  transaction.commit();
}

}  // namespace reshard
