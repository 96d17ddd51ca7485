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

Definitions& Executor::definitions(backends::postgres::Session& source) {
  if (definitions_ && (definitions_->written() || !last_part_made())) return *definitions_;
  const auto tools = find_pg_tools(plan_.pg_bin, source.version() / 10'000);
  if (!tools)
    throw Stuck(
        "pg_dump and pg_restore are not here" +
        (plan_.pg_bin.empty() ? std::string() : ", in " + plan_.pg_bin) +
        ", and the target's tables are made by them: install postgresql-client, then retry");
  definitions_.emplace(journal_.directory(), *tools,
                       CommandLimits{kProgramLimit, [this] { return stop_asked(); }},
                       source_.application());
  if (last_part_made() && !definitions_->written() && !state_.dumped.empty()) {
    std::vector<Relation> relations;
    for (const std::string& each : state_.dumped)
      relations.push_back(Relation::quoted_by_server(each));
    watcher_.event("what pg_dump had written down is not here, and is written down again");
    definitions_->write(plan_.from.url, relations);
  }
  return *definitions_;
}

std::uint64_t Executor::parts_made() const {
  const auto made = state_.copied.find(kMade);
  return made == state_.copied.end() ? 0 : made->second;
}

/// Of what this plan has made; nullopt: it has made nothing.
std::optional<DefinitionPart> Executor::last_part_made() const {
  const std::uint64_t made = parts_made();
  if (made == 0 || made > kParts) return std::nullopt;
  return static_cast<DefinitionPart>(made - 1);
}

void Executor::note_parts(DefinitionPart last) {
  state_.copied[kMade] = static_cast<std::uint64_t>(last) + 1;
}

/// By their oids at the source.
std::set<std::uint32_t> Executor::made_tables() {
  std::set<std::uint32_t> made;
  with_programs([&] { made = definitions(source_.owner()).tables(); });
  return made;
}

void Executor::write_definitions(const std::vector<Relation>& relations) {
  with_programs([&] { definitions(source_.owner()).write(plan_.from.url, relations); });
  state_.dumped.clear();
  for (const Relation& each : relations) state_.dumped.push_back(each.sql());
}

/// What pg_dump is to write down of a table: with what else its rows are in, and its sequences;
/// `all`: also what the target has.
void Executor::add_relations(const Table& source, bool all, std::vector<Relation>& relations) {
  relations.push_back(source.name);
  for (const Table::Member& each : source.members) relations.push_back(each.name);
  for (const Need& need : needs_of(source_.owner(), {source.oid}))
    if (!need.relation.empty() && (all || !look_for(target_.owner(), need).there))
      relations.push_back(Relation::quoted_by_server(need.relation));
}

/// Of the list of buckets, and each bucket's table; `all`: also what the target has.
std::vector<Relation> Executor::missing_at_target(const std::vector<BucketConfig>& configs,
                                                  bool all) {
  std::vector<Relation> missing;
  const auto look = [&](const std::string& name) {
    const auto table = read_table(source_.owner(), name);
    if (!table || (!all && read_table(target_.owner(), name))) return;
    add_relations(*table, false, missing);
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
  bool written = false;
  with_programs([&] { written = last_part_made() && definitions(source_.owner()).written(); });
  if (!written) {
    wait_for_keeper();  // one plan makes them, and does not wait for what another one has begun
    write_definitions(missing);
    note_parts(DefinitionPart::tables);  // before there is a table that is not whole
    record("tables are to be made at the target");
  }
  watcher_.event(std::to_string(missing.size()) +
                 " tables and sequences are made at the target, as pg_dump has them");
  make_parts(DefinitionPart::tables, source_.owner());
  record("tables made at the target");
}

/// Where this plan has made tables: what belongs to them, up to that part. `again`: whether or not
/// it was done before, since a failover may have taken it away.
void Executor::complete_tables(DefinitionPart part, bool again) {
  const auto last = last_part_made();
  if (!last || (*last >= part && !again)) return;
  watcher_.event(part == DefinitionPart::indexes
                     ? "indexes of the target's tables"
                     : "unique indexes, constraints and triggers of the target's tables");
  make_parts(part, source_.owner());
  note_parts(std::max(*last, part));
  record("");
}

void Executor::make_parts(DefinitionPart last, backends::postgres::Session& source) {
  with_programs([&] { definitions(source).make(last, source, target_.owner(), plan_.to.url); });
}

/// Of a plan that is given up: the next plan finds its tables whole. The source, which this
/// coordinator may not have taken, is only read; where it is away, they are left as they are.
void Executor::leave_tables_whole() {
  const auto last = last_part_made();
  if (!last || *last == DefinitionPart::rest) return;
  try {
    backends::postgres::Session source(plan_.from.url, target_.application());
    make_parts(DefinitionPart::rest, source);
    note_parts(DefinitionPart::rest);
  } catch (const std::runtime_error& error) {
    watcher_.alarm(
        std::string("the tables that this plan has made at the target lack some of their "
                    "indexes, constraints and triggers: ") +
        error.what() + ". Make them, or drop the tables, before another plan moves anything there");
  }
}

Executor::UnlikeTables Executor::unlike_tables() {
  UnlikeTables unlike;
  for (const auto& [name, pair] : forward_.tables()) {
    auto all = compare_features(features(source_.owner(), pair.source),
                                features(target_.owner(), pair.target));
    if (!all.empty()) unlike.emplace_back(pair, std::move(all));
  }
  return unlike;
}

/// What harms no row is told, once. Returns what does; empty: nothing.
std::string Executor::harm_of(const UnlikeTables& unlike) {
  for (const auto& [pair, all] : unlike) {
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
  if (const auto last = last_part_made(); last && *last != DefinitionPart::rest) return;
  const UnlikeTables unlike = unlike_tables();
  leave_to_renewal(unlike);
  const std::string harm = harm_of(unlike);
  if (harm.empty()) return;
  const auto other = last_part_made() ? std::nullopt : target_.plan_beside("guarded");
  if (other)
    throw Waiting("plan " + std::to_string(*other) +
                  ", which may be making the target's tables: " + harm);
  throw Stuck(harm);
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
  if (const std::string harm = harm_of(unlike_tables()); !harm.empty()) throw ActFailed(harm);
  if (now == state_.versions) return;
  expect(now[1]);
  look_for_way_back();
  state_.versions = now;
  record("definitions have changed, and are alike");
}

}  // namespace reshard
