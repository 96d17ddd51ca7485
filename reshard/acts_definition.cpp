// What a coordinator does so that the target has the source's tables, and that they stay alike.
#include <algorithm>

#include "reshard/counts.hpp"
#include "reshard/definition/definitions.hpp"
#include "reshard/definition/likeness.hpp"
#include "reshard/executor.hpp"
#include "reshard/table_version.hpp"
#include "reshard/transaction.hpp"

namespace reshard {
namespace {

constexpr std::chrono::seconds kSoakLookEach{1};
constexpr std::chrono::minutes kProgramLimit{10};  ///< that pg_dump may take
/// In State::copied: how many parts are made, or that the target lacked nothing. An older program
/// wrote neither.
constexpr const char* kMade = "definitions";
constexpr std::uint64_t kParts = 3, kLackedNothing = 4;

/// What a program could not do may be tried again, as anything else.
void with_programs(const std::function<void()>& work) {
  try {
    work();
  } catch (const CommandEnded& ended) {
    throw ActFailed(std::string("pg_dump ") + ended.what());
  } catch (const backends::postgres::SessionError&) {
    throw;
  } catch (const ActFailed&) {
    throw;
  } catch (const std::runtime_error& error) {
    throw ActFailed(error.what());
  }
}

}  // namespace

Definitions Executor::definitions() {
  const auto tools = find_pg_tools(plan_.pg_bin);
  if (!tools)
    throw Stuck(
        "pg_dump and pg_restore are not here" +
        (plan_.pg_bin.empty() ? std::string() : ", in " + plan_.pg_bin) +
        ", and the target's tables are made by them: install postgresql-client, then retry");
  return {journal_.directory(),
          *tools,
          {kProgramLimit, [this] { return stop_asked(); }},
          source_.application()};
}

std::uint64_t Executor::parts_made() const {
  const auto made = state_.copied.find(kMade);
  return made == state_.copied.end() ? 0 : made->second;
}

/// The list of buckets, and each bucket's table, with what else their rows are in; `all`: also what
/// the target has.
std::vector<Relation> Executor::missing_at_target(const std::vector<BucketConfig>& configs,
                                                  bool all) {
  std::vector<Relation> missing;
  const auto look = [&](const std::string& name) {
    const auto table = read_table(source_.owner(), name);
    if (!table || (!all && read_table(target_.owner(), name))) return;
    missing.push_back(table->name);
    for (const Table::Member& each : table->members) missing.push_back(each.name);
    for (const Need& need : needs_of(source_.owner(), {table->oid}))
      if (!need.relation.empty() && !look_for(target_.owner(), need).there)
        missing.push_back(Relation::quoted_by_server(need.relation));
  };
  look("buckets_config");
  for (const BucketConfig& config : configs) look(config.name);
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  return missing;
}

/// As the source has them at this moment. Where they are made already, and a failover has taken
/// some away, those are made again as they were.
void Executor::make_tables(const std::vector<BucketConfig>& configs) {
  // An older program has made tables, and taken their indexes away for the copy.
  const bool older = parts_made() == 0 && !state_.copied.empty() && ids_kept_;
  const auto missing = missing_at_target(configs, older);
  if (missing.empty()) {
    if (parts_made() == 0) state_.copied[kMade] = kLackedNothing;
    return;
  }
  with_programs([&] {
    Definitions tables = definitions();
    if (!tables.written() || parts_made() == 0 || parts_made() == kLackedNothing)
      tables.write(plan_.from.url, missing);
    watcher_.event(std::to_string(missing.size()) +
                   " tables and sequences are made at the target, as pg_dump has them");
    tables.make(DefinitionPart::tables, source_.owner(), target_.owner(), plan_.to.url);
  });
  state_.copied[kMade] = 1;
  record("tables made at the target");
}

/// Where this plan has made tables: what belongs to them, up to that part. `again`: whether or not
/// it was done before, since a failover may have taken it away.
void Executor::complete_tables(DefinitionPart part, bool again) {
  const std::uint64_t made = parts_made(), wanted = static_cast<std::uint64_t>(part) + 1;
  if (made == 0 || made == kLackedNothing || (made >= wanted && !again)) return;
  watcher_.event(part == DefinitionPart::indexes
                     ? "indexes of the target's tables"
                     : "unique indexes, constraints and triggers of the target's tables");
  make_parts(part, source_.owner());
  state_.copied[kMade] = std::max(made, wanted);
  record("");
}

void Executor::make_parts(DefinitionPart last, backends::postgres::Session& source) {
  with_programs([&] {
    Definitions tables = definitions();
    for (const auto each : {DefinitionPart::tables, DefinitionPart::indexes, DefinitionPart::rest})
      if (each <= last) tables.make(each, source, target_.owner(), plan_.to.url);
  });
}

/// Of a plan that is given up: the next plan finds its tables whole. The source, which this
/// coordinator may not have taken, is only read; where it is away, they are left as they are.
void Executor::leave_tables_whole() {
  if (parts_made() == 0 || parts_made() >= kParts) return;
  try {
    backends::postgres::Session source(plan_.from.url, target_.application());
    make_parts(DefinitionPart::rest, source);
    state_.copied[kMade] = kParts;
  } catch (const std::runtime_error& error) {
    watcher_.alarm(
        std::string("the tables that this plan has made at the target lack some of their "
                    "indexes, constraints and triggers: ") +
        error.what() + ". Make them, or drop the tables, before another plan moves anything there");
  }
}

/// What harms no row is told, once. Returns what does; empty: nothing.
std::string Executor::unlike() {
  for (const auto& [name, pair] : forward_.tables()) {
    const auto all = compare_features(features(source_.owner(), pair.source),
                                      features(target_.owner(), pair.target));
    const std::string bucket = "bucket " + pair.source.bucket + ": ";
    if (const std::string differs = difference(all); !differs.empty())
      return bucket + differs + ". Make the same change at the other side, then retry";
    for (const Unlikeness& each : all)
      if (told_unlike_.insert(bucket + each.what).second)
        watcher_.alarm(bucket + each.what + "; it stays so");
  }
  return "";
}

/// What this plan has made is whole only after the first cycle; what another plan makes, after its.
void Executor::require_alike() {
  if (parts_made() != 0 && parts_made() < kParts) return;
  if (const std::string differs = unlike(); !differs.empty()) throw Stuck(differs);
}

/// In the soak: writes to a table that was changed at one side alone may have no place at the
/// other; they stay in the log meanwhile. Throws ActFailed until both are alike; then all rows are
/// compared.
void Executor::look_at_soaking_tables() {
  if (state_.versions[0].empty() || Clock::now() < soak_looked_at_ + kSoakLookEach) return;
  const bool first = soak_looked_at_ == Clock::time_point();
  const auto now = versions();
  soak_looked_at_ = Clock::now();
  const auto expect = [this](const std::string& version) {
    reverse_.expect_version(version_call(table_names(Role::target)), version);
  };
  if (first) expect(state_.versions[1]);
  if (now == state_.versions && !first) return;
  read_tables();
  if (const std::string differs = unlike(); !differs.empty()) throw ActFailed(differs);
  if (now == state_.versions) return;
  expect(now[1]);
  look_for_way_back();
  state_.versions = now;
  record("definitions have changed, and are alike");
}

}  // namespace reshard
