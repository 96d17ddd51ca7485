#include "router/cli/fleet_reports.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

#include "fleet/protocol/text.hpp"
#include "fleet/sources/http_get.hpp"
#include "fleet/sources/image_sources.hpp"
#include "json/nesting.hpp"
#include "router/cli/fleet_show.hpp"

namespace router::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kPageMost = 4 << 20;
constexpr std::chrono::milliseconds kPageWithin{5'000};
constexpr const char* kStatusPage = "/status";

/// Where one is asked, and as what it is shown until it has said who it is.
struct Asked {
  std::string shown;
  std::optional<config::Endpoint> server;
};

std::vector<Asked> all_of(const fleet::Roster& roster, const std::vector<std::string>& ports) {
  std::vector<Asked> all;
  for (const auto& [id, entry] : roster)
    if (!entry.foreign) all.push_back({id, fleet::pages_of(entry)});
  for (const std::string& port : ports) {
    const auto server = config::parse_address(port, 0);
    if (!server || server->port == 0)
      throw std::runtime_error("--member " + port + ": not HOST:PORT");
    all.push_back({port, server});
  }
  return all;
}

}  // namespace

MemberReport report_from(const std::string& page) {
  const auto in = json::parse_bounded<Json>(page);
  if (!in.is_object() || !in.contains("fleet") || !in.at("fleet").is_object())
    throw std::runtime_error("it is no member of a fleet");
  const Json& said = in.at("fleet");
  MemberReport report;
  report.id = said.at("member").get<std::string>();
  report.fleet = said.at("name").get<std::string>();
  if (!said.contains("entry") || !said.at("entry").is_object())
    throw std::runtime_error(
        "it says too little: its program is older than this one, or it has "
        "not started yet");
  report.entry = fleet::entry_from(said.at("entry").dump());
  if (!said.at("record").is_null()) report.record = fleet::record_from(said.at("record").dump());
  if (!said.at("blocks").is_null()) report.blocks = fleet::blocks_from(said.at("blocks").dump());
  report.seq = said.at("seq").get<std::uint64_t>();
  report.highest = said.at("highest").get<std::uint64_t>();
  report.inside = said.at("inRoster").get<bool>();
  report.roster = said.at("roster").get<std::vector<std::string>>();
  report.serves = said.at("serves").get<bool>();
  report.in_touch = said.at("inTouch").get<bool>();
  report.doubt_vnodes = said.at("doubtVnodes").get<std::uint64_t>();
  if (!said.at("problem").is_null()) report.told = said.at("problem").get<std::string>();
  return report;
}

MemberReports ask_members(boost::asio::io_context& loop, const fleet::Roster& roster,
                          const std::vector<std::string>& ports) {
  MemberReports reports;
  std::size_t missing = 0;
  for (const Asked& one : all_of(roster, ports)) {
    if (!one.server) {
      reports[one.shown].problem = "its status port can't be reached from other hosts";
      continue;
    }
    ++missing;
    fleet::http_get(loop, *one.server, kStatusPage, false, {kPageMost, kPageWithin, kPageWithin},
                    [&, shown = one.shown](const fleet::HttpAnswer& answer) {
                      --missing;
                      MemberReport report;
                      report.problem = answer.why;
                      if (answer.kind == fleet::HttpAnswer::Kind::whole) try {
                          report = report_from(answer.body);
                        } catch (const std::exception& error) {
                          report.problem = error.what();
                        }
                      const bool in_roster = roster.contains(shown);
                      if (report.problem.empty() && in_roster && report.id != shown)
                        report.problem = "member \"" + report.id + "\" answers there";
                      const std::string name =
                          in_roster || !report.problem.empty() ? shown : report.id;
                      const auto there = reports.find(name);
                      if (there == reports.end() || !there->second.problem.empty())
                        reports[name] = std::move(report);
                    });
  }
  loop.restart();
  while (missing > 0) loop.run_one();
  return reports;
}

Json json_of(const std::string& fleet, const std::string& why, const MemberReports& reports) {
  Json members = Json::array();
  for (const auto& [shown, report] : reports) {
    if (!report.problem.empty()) {
      members.push_back({{"id", shown}, {"problem", report.problem}});
      continue;
    }
    const fleet::RingName& ring = report.entry.ring;
    members.push_back({{"id", report.id},
                       {"address", report.entry.address},
                       {"version", report.entry.version},
                       {"ring", {{"generation", ring.generation}, {"digest", ring.digest}}},
                       {"seq", report.seq},
                       {"serves", report.serves},
                       {"inTouch", report.in_touch},
                       {"agreedTo", report.record ? Json(report.record->token) : Json(nullptr)},
                       {"doubtVnodes", report.doubt_vnodes},
                       {"problem", report.told.empty() ? Json(nullptr) : Json(report.told)}});
  }
  return {{"fleet", fleet}, {"problem", why}, {"members", std::move(members)}};
}

std::string table_of(const MemberReports& reports) {
  std::vector<std::vector<std::string>> rows{{"MEMBER", "ADDRESS", "RING", "STATE", "VERSION"}};
  for (const auto& [shown, report] : reports) {
    if (!report.problem.empty()) {
      rows.push_back({shown, "", "", "not known: " + report.problem});
      continue;
    }
    std::string state = report.serves ? "serves" : "does not serve";
    if (report.record)
      state += ", has agreed to change " + report.record->token + " (" +
               std::string(to_string(report.record->phase)) + ")";
    if (report.doubt_vnodes > 0)
      state += ", refuses " + std::to_string(report.doubt_vnodes) + " vnodes";
    if (!report.told.empty()) state += ": " + report.told;
    rows.push_back({report.id, report.entry.address, shown_ring(report.entry.ring), state,
                    report.entry.version});
  }
  return lines_of(rows);
}

}  // namespace router::cli
