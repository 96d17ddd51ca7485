#include "router/cli/fleet_show.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include "fleet/protocol/text.hpp"
#include "fleet/service/history.hpp"

namespace router::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kDigestShown = 12;

}  // namespace

std::string shown_ring(const fleet::RingName& ring) {
  return std::to_string(ring.generation) + " " + ring.digest.substr(0, kDigestShown);
}

std::string listed(const std::vector<std::string>& all, const char* between) {
  std::string text;
  for (const std::string& one : all) text += (text.empty() ? "" : between) + one;
  return text;
}

namespace {

std::string utc(std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%SZ", &parts);
  return text.data();
}

/// Whether the fleet waits for it, and why.
std::string state_of(const fleet::FleetView& view, const fleet::MemberView& member) {
  if (!member.problem.empty()) return "unreadable: " + member.problem;
  if (const auto& foreign = member.entry.foreign) {
    if (foreign->stopped) return "foreign, stopped";
    return foreign->digest == view.state.ring.digest ? "foreign, serves"
                                                     : "foreign, serves another ring";
  }
  const bool lives = member.lives == member.entry.incarnation;
  if (!lives) return "no session";
  return member.entry.ring == view.state.ring ? "serves" : "catches up";
}

/// On the open change; empty: none is open.
std::string answer_of(const fleet::FleetView& view, const fleet::MemberView& member) {
  const auto& change = view.state.change;
  if (!change) return "";
  if (member.entry.foreign) return "";
  const bool counts = member.answer && member.answer->token == change->token &&
                      member.answer->incarnation == member.entry.incarnation;
  if (!counts) return "no answer";
  if (!member.answer->refusal.empty()) return "refuses: " + member.answer->refusal;
  if (member.answer->stage != change->stage)
    return "agreed to " + std::string(to_string(member.answer->stage));
  return "agrees";
}

std::string what_of(const fleet::HistoryStep& step) {
  if (!step.note.empty()) return step.note;
  const auto& change = step.state.change;
  if (change) {
    const std::string text = std::string(to_string(change->kind)) + " " + change->token + ": " +
                             std::string(to_string(change->stage)) + ", by " + change->coordinator;
    return change->why.empty() ? text : text + " (" + change->why + ")";
  }
  if (!step.state.last) return "";
  return step.state.last->token + (step.state.last->committed ? ": committed" : ": abandoned");
}

}  // namespace

std::string lines_of(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string table_of(const std::string& name, const fleet::FleetView& view) {
  std::string text = "fleet " + name + ": ring " + shown_ring(view.state.ring) + " in force";
  const auto& change = view.state.change;
  if (change) {
    text += "\nchange " + change->token + " is open since " + utc(change->opened_at) + ": " +
            std::string(to_string(change->kind)) + ", stage " +
            std::string(to_string(change->stage)) + ", by " + change->coordinator;
    if (change->kind != fleet::Kind::block) text += ", to ring " + shown_ring(change->next);
    if (!change->why.empty()) text += " (" + change->why + ")";
    text += "\n";
  } else {
    text += ", no change is open\n";
  }
  for (const fleet::Block& block : view.blocks)
    text += "blocked: " + block.token + ", writes " + (block.waits ? "wait" : "are refused") +
            ", by " + block.who + (block.why.empty() ? "" : " (" + block.why + ")") + "\n";
  std::vector<std::vector<std::string>> rows{{"MEMBER", "ADDRESS", "RING", "STATE", "VERSION"}};
  if (change) rows.front().emplace_back("ANSWER");
  for (const auto& [id, member] : view.members) {
    const auto& foreign = member.entry.foreign;
    rows.push_back(
        {id, foreign ? foreign->status : member.entry.address,
         foreign ? foreign->digest.substr(0, kDigestShown) : shown_ring(member.entry.ring),
         state_of(view, member), member.entry.version});
    if (change) rows.back().push_back(answer_of(view, member));
  }
  return text + (view.members.empty() ? "no member has joined yet\n" : lines_of(rows));
}

Json json_of(const std::string& name, const fleet::FleetView& view) {
  const auto ring = [](const fleet::RingName& of) {
    return Json{{"generation", of.generation}, {"digest", of.digest}};
  };
  Json members = Json::array(), blocks = Json::array(), change(nullptr);
  for (const auto& [id, member] : view.members) {
    Json one{{"id", id},
             {"address", member.entry.address},
             {"statusPort", member.entry.http_port},
             {"version", member.entry.version},
             {"ring", ring(member.entry.ring)},
             {"state", state_of(view, member)}};
    if (const auto& foreign = member.entry.foreign)
      one["foreign"] = {
          {"status", foreign->status}, {"stopped", foreign->stopped}, {"digest", foreign->digest}};
    if (view.state.change) one["answer"] = answer_of(view, member);
    members.push_back(std::move(one));
  }
  for (const fleet::Block& block : view.blocks)
    blocks.push_back({{"token", block.token},
                      {"vnodes", block.vnodes},
                      {"mode", block.waits ? "hold" : "refuse"},
                      {"who", block.who},
                      {"why", block.why}});
  if (view.state.change)
    change = {{"token", view.state.change->token},
              {"kind", to_string(view.state.change->kind)},
              {"stage", to_string(view.state.change->stage)},
              {"next", ring(view.state.change->next)},
              {"who", view.state.change->coordinator},
              {"why", view.state.change->why},
              {"openedAt", view.state.change->opened_at}};
  return {{"fleet", name},
          {"seq", view.state.seq},
          {"ring", ring(view.state.ring)},
          {"change", std::move(change)},
          {"blocks", std::move(blocks)},
          {"members", std::move(members)}};
}

std::string table_of_history(const std::vector<std::string>& steps) {
  std::vector<std::vector<std::string>> rows{{"WHEN", "STEP", "RING", "WHAT"}};
  for (const std::string& text : steps) {
    try {
      const fleet::HistoryStep step = fleet::step_from(text);
      rows.push_back({utc(step.at), std::to_string(step.state.seq), shown_ring(step.state.ring),
                      what_of(step)});
    } catch (const fleet::Unreadable& error) {
      rows.push_back({"?", "?", "?", error.what()});
    }
  }
  return lines_of(rows);
}

}  // namespace router::cli
