#include "reshard/plan_number.hpp"

#include <algorithm>
#include <memory>

#include "backends/postgres/wire/session.hpp"
#include "reshard/transaction.hpp"

namespace reshard {
namespace {

using backends::postgres::Session;

/// With 0. Not the lock of plans' rows: a number does not wait for changes of buckets.
constexpr int kNumbersLock = 0x6d72776e;
constexpr const char* kApplication = "moray-router reshard plan";
/// Not in the schema that `forget` drops: a plan of another directory may have a number, and no row
/// yet.
constexpr const char* kTable = "moray_router_numbers.reshard_plan";

bool has(Session& session, const std::string& table) {
  return session.run("SELECT to_regclass($1::text) IS NOT NULL", {table}).text(0, 0) == "t";
}

std::uint64_t given(Session& session) {
  std::uint64_t last = 0;
  for (const auto& [table, column] : {std::pair(std::string("moray_router.reshard_plan"), "plan"),
                                      std::pair(std::string(kTable), "last")})
    if (has(session, table)) {
      const auto rows =
          session.run(std::string("SELECT coalesce(max(") + column + "), 0) FROM " + table);
      last = std::max<std::uint64_t>(last, std::stoull(rows.string(0, 0)));
    }
  return last;
}

/// `work` of a side, whose name comes with what goes wrong there.
template <typename Work>
void at_side(const Side& side, const Work& work) {
  try {
    work();
  } catch (const backends::postgres::SessionError& error) {
    throw backends::postgres::SessionError("shard " + side.pnode + ": " + error.what(),
                                           error.sqlstate);
  }
}

}  // namespace

std::uint64_t next_plan_number(const std::vector<Side>& sides, std::uint64_t above) {
  for (const Side& side : sides)
    at_side(side, [&] {
      Session session(side.url, kApplication);
      above = std::max(above, given(session));
    });
  return above + 1;
}

/// In the order of their names, so that two that take a number at once don't wait for each other.
std::uint64_t take_plan_number(const std::vector<Side>& sides, std::uint64_t above) {
  std::vector<Side> ordered = sides;
  std::sort(ordered.begin(), ordered.end(),
            [](const Side& a, const Side& b) { return a.pnode < b.pnode; });
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<std::unique_ptr<Transaction>> transactions;
  for (const Side& side : ordered)
    at_side(side, [&] {
      sessions.push_back(std::make_unique<Session>(side.url, kApplication));
      transactions.push_back(std::make_unique<Transaction>(
          *sessions.back(), "BEGIN; SET LOCAL lock_timeout = '5s'; SELECT pg_advisory_xact_lock(" +
                                std::to_string(kNumbersLock) + ", 0)"));
      above = std::max(above, given(*sessions.back()));
    });
  const std::string number = std::to_string(above + 1);
  for (const auto& session : sessions) {
    if (!has(*session, kTable))
      session->run_all("CREATE SCHEMA IF NOT EXISTS moray_router_numbers; CREATE TABLE " +
                       std::string(kTable) + " (last bigint NOT NULL)");
    session->run_all("DELETE FROM " + std::string(kTable) + "; INSERT INTO " + std::string(kTable) +
                     " VALUES (" + number + ")");
  }
  for (const auto& transaction : transactions) transaction->commit();
  return above + 1;
}

}  // namespace reshard
