#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backends/postgres/wire/session.hpp"
#include "reshard/plan.hpp"

/// The records of plans in a database: tables of the schema `moray_router`, made with the first
/// plan's definition, whether or not the plan has a row yet. Every function throws SessionError.
namespace reshard::kept {

/// Numbers and texts of a plan's journal in one database; equal pairs are one record.
using Lines = std::set<std::pair<std::uint64_t, std::string>>;

/// Something that people ask, or that they have taken back, or options that they have set. Of two
/// by one name the one with the greater number is the newer.
struct Ask {
  std::uint64_t number = 0;
  bool asked = false;
  std::string value;
  bool operator==(const Ask&) const = default;
};
using Asks = std::map<std::string, Ask>;
/// The newer of each name.
void merge(Asks& into, const Asks& others);

struct Definition {
  std::uint64_t number = 0;
  std::string token, text;
};

/// What `run` returns, or `nothing` where the database has none of these tables.
template <typename Value, typename Run>
Value unless_absent(Value nothing, const Run& run) {
  try {
    return run();
  } catch (const backends::postgres::SessionError& error) {
    if (error.sqlstate != "42P01" && error.sqlstate != "3F000") throw;
    return nothing;
  }
}

/// Of all plans that this database has to do with.
std::vector<Definition> definitions(backends::postgres::Session& session);
/// Tables and definition, in one transaction under the lock of all plans. One that is there stays.
/// False: the number is another plan's here. `epoch`: of a new one. `first`: the journal's first
/// line, if it is made now; empty: none.
bool keep_definition(backends::postgres::Session& session, const Plan& plan, std::uint64_t epoch,
                     const std::string& first = "");
/// By how many coordinators the plan has been taken here; 0: by none, or there is no definition.
std::uint64_t epoch_of(backends::postgres::Session& session, const Plan& plan);
/// Does nothing where there is no definition.
void set_epoch(backends::postgres::Session& session, const Plan& plan, std::uint64_t epoch);

Lines lines(backends::postgres::Session& session, const Plan& plan);
/// False: the plan is not in that epoch here, and nothing is written.
bool append(backends::postgres::Session& session, const Plan& plan, std::uint64_t epoch,
            std::uint64_t seq, const std::string& line);
/// What is missing of these.
void copy(backends::postgres::Session& session, const Plan& plan, const Lines& lines);

/// Of the plan's row; empty: it has none.
std::string row_state(backends::postgres::Session& session, const Plan& plan);

Asks asks(backends::postgres::Session& session, const Plan& plan);
/// Unless a newer one is there. Asks of a plan that has no definition here come with it later.
void put(backends::postgres::Session& session, const Plan& plan, const Asks& asks);

/// The text that was shown last; empty: none.
std::string shown(backends::postgres::Session& session, const Plan& plan);
/// `epoch`: of the coordinator; nullopt: it is none, and shows nothing over what one has just
/// shown.
void show(backends::postgres::Session& session, const Plan& plan, const std::string& text,
          std::optional<std::uint64_t> epoch);

/// All of that plan goes, and of the plan that it took back, if that has no row here any more.
void forget(backends::postgres::Session& session, const Plan& plan);
/// A plan that is kept here, and is neither this one nor the one that it takes back; nullopt: none.
std::optional<std::uint64_t> plan_beside(backends::postgres::Session& session, const Plan& plan);

}  // namespace reshard::kept
