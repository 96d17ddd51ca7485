// What the routers say of a plan, and who else uses its databases.
#include "reshard/preflight_routers.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "reshard/taken.hpp"

namespace reshard {
namespace {

using backends::postgres::Rows;

/// For a router that writes and loads a whole ring.
constexpr std::chrono::seconds kRehearsalLimit{30};
constexpr int kClientsNamed = 10;

/// By the code of a router's refusal.
std::string advice_for(const RouterAnswer& answer) {
  if (!answer.answered)
    return "all routers of the ring must answer: start it, or leave it out if it serves nobody";
  if (answer.code == "unknown_pnode")
    return "name source and target as PostgreSQL shards in its configuration, and start it anew";
  if (answer.code == "no_store")
    return "moray-router ring store -l STORE DIRECTORY makes a store of its ring; name that in its "
           "configuration";
  if (answer.code == "failed" || answer.code == "refused")
    return "see what it says; its store of rings must be writable, with room for one more ring";
  if (answer.code == "prepared") return "wait for the plan whose ring it holds, or abort that one";
  if (answer.code == "not_owner" || answer.code == "unchanged" || answer.code == "no_vnode")
    return "reload the routers, so that all are on one ring; or plan again, with vnodes that are "
           "the source's";
  return "it must be of this program's version";
}

void look_at_hold(const Plan& plan, std::uint64_t hold_ms, Preflight& found) {
  const std::uint64_t lease = longest_hold(plan.options.lease_ms);
  if (hold_ms == 0 || lease < hold_ms) return;
  found.warnings.push_back(
      "the plan's lease, " + std::to_string(lease) + " ms, is not below the " +
      std::to_string(hold_ms) +
      " ms for which routers hold writes: after that they are refused. A smaller --max-block "
      "or --lease, or a larger timeouts.holdMs of the routers, keeps them held");
}

/// The ring is bound right before each cutover; that it can be now is looked at here.
void look_at_rings(const Plan& plan, const std::vector<RouterAnswer>& answers, Preflight& found) {
  try {
    const Rehearsal rehearsal = agreed(answers);
    found.rings = rehearsal.rings;
    look_at_hold(plan, rehearsal.hold_ms, found);
  } catch (const ActFailed& error) {
    found.obstacles.push_back({error.what(), "reload the routers, so that all are on one ring"});
  }
}

}  // namespace

std::optional<std::vector<std::string>> look_at_routers(const Plan& plan, Routers& routers,
                                                        Database& source, Preflight& found) {
  std::vector<std::string> applications;
  if (routers.names().empty())
    found.obstacles.push_back(
        {"no router is named", "--router SOCKET for each that serves this ring"});
  // A rollback's vnodes are the target's by the ring in force, and its routers have a store.
  const auto answers =
      plan.reverts == 0 ? routers.try_prepare(kRehearsalLimit) : std::vector<RouterAnswer>();
  bool all = true;
  for (const RouterAnswer& answer : answers) {
    all = all && answer.ok;
    if (answer.ok)
      applications.push_back(nlohmann::json::parse(answer.result).value("application", ""));
    else
      found.obstacles.push_back(
          {"router " + answer.router + ": " + answer.message +
               (answer.code == "not_owner" ? taken_by(source.owner(), plan.vnodes) : ""),
           advice_for(answer)});
  }
  if (!all || answers.empty()) return std::nullopt;
  look_at_rings(plan, answers, found);
  return applications;
}

void look_at_clients(Database& side, const std::vector<std::string>& applications,
                     Preflight& found) {
  const Rows clients = side.apply().run(
      "SELECT coalesce(application_name, ''), coalesce(usename, ''), "
      "coalesce(host(client_addr), 'this machine'), count(*) FROM pg_stat_activity WHERE datname "
      "= current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND "
      "application_name NOT LIKE 'moray-router reshard %' GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, "
      "3");
  std::vector<std::string> unknown;
  for (int i = 0; i < clients.count(); ++i) {
    const std::string application = clients.string(i, 0);
    if (std::find(applications.begin(), applications.end(), application) != applications.end())
      continue;
    unknown.push_back(clients.string(i, 3) + " of \"" + application + "\", user " +
                      clients.string(i, 1) + ", from " + clients.string(i, 2));
  }
  if (unknown.empty()) return;
  std::string named;
  for (std::size_t i = 0; i < unknown.size() && i < kClientsNamed; ++i)
    named += (named.empty() ? "" : "; ") + unknown[i];
  if (unknown.size() > kClientsNamed)
    named += "; and " + std::to_string(unknown.size() - kClientsNamed) + " more kinds";
  const std::string what = std::string(side.role_name()) + " " + side.side().pnode +
                           " has sessions that are no router's of this plan: " + named;
  const std::string advice =
      "a router among them must be named (--router); others are refused with the vnodes that move, "
      "and may read rows on either side";
  if (side.plan().options.known_clients_only)
    found.obstacles.push_back({what, advice});
  else
    found.warnings.push_back(what + ": " + advice);
}

}  // namespace reshard
