#include "reshard/dumps.hpp"

namespace reshard {
namespace {

constexpr int kDumpsNamed = 3;

}  // namespace

std::string dumps_at(Database& side) {
  const backends::postgres::Rows rows = side.apply().run(
      "SELECT pid, coalesce(usename, ''), coalesce(host(client_addr), 'this machine'), "
      "coalesce(to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '') "
      "FROM pg_stat_activity WHERE application_name = 'pg_dump' AND datname = current_database() "
      "ORDER BY backend_start, pid");
  std::string named;
  for (int i = 0; i < rows.count() && i < kDumpsNamed; ++i)
    named += (named.empty() ? "" : ", ") + ("process " + rows.string(i, 0)) + " (user " +
             rows.string(i, 1) + ", from " + rows.string(i, 2) + ", since " + rows.string(i, 3) +
             ")";
  if (rows.count() > kDumpsNamed)
    named += " and " + std::to_string(rows.count() - kDumpsNamed) + " more";
  if (named.empty()) return "";
  return std::string(side.role_name()) + " " + side.side().pnode + ": pg_dump runs: " + named;
}

}  // namespace reshard
