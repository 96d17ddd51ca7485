// A status for people.
#include <cmath>
#include <cstdio>

#include "reshard/cli/status.hpp"
#include "reshard/progress_bar.hpp"

namespace reshard::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of_status(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string bytes_text(std::uint64_t bytes) {
  char text[32];
  if (bytes < 10'000)
    std::snprintf(text, sizeof text, "%llu bytes", static_cast<unsigned long long>(bytes));
  else if (bytes < 10'000'000)
    std::snprintf(text, sizeof text, "%.1f kB", static_cast<double>(bytes) / 1e3);
  else
    std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

std::string progress_text(const Json& progress) {
  std::string text = text_of_status(progress.at("work"));
  if (progress.contains("percent"))
    text += ": " + std::to_string(static_cast<int>(progress.at("percent").get<double>())) + " %";
  if (progress.contains("rows")) {
    text += ", " + progress.at("rows").dump();
    if (progress.contains("rowsAbout")) text += " of about " + progress.at("rowsAbout").dump();
    text += " rows";
  }
  if (progress.contains("rowsPerSecond"))
    text += ", " + progress.at("rowsPerSecond").dump() + " a second";
  if (progress.contains("secondsLeft"))
    text += ", " + time_text(progress.at("secondsLeft").get<double>()) + " left";
  return text;
}

std::string lag_text(const Json& lag) {
  std::string text = (lag.contains("longer") ? "more than " : "") + lag.at("entries").dump() +
                     " entries, " + bytes_text(lag.at("bytes").get<std::uint64_t>());
  if (lag.contains("seconds"))
    text +=
        "; writes until " + time_text(lag.at("seconds").get<double>()) + " ago are carried over";
  return text;
}

std::string coordinator_text(const Json& coordinator) {
  const Json& lives = coordinator.at("lives");
  const Json& seen = coordinator.at("lastSeen");
  const std::string last = seen.is_null() ? "" : "; its last sign is of " + text_of_status(seen);
  if (lives.is_null()) return "unknown, since the database that decides can't be reached" + last;
  if (lives.get<bool>())
    return "lives: process " + coordinator.at("process").dump() + " of the server, from " +
           text_of_status(coordinator.at("address")) + ", since " +
           text_of_status(coordinator.at("since"));
  if (coordinator.contains("lockedByPlan"))
    return "none; plan " + text_of_status(coordinator.at("lockedByPlan")) + "'s has its vnodes";
  return seen.is_null() ? "none, and there was none yet" : "none since " + text_of_status(seen);
}

std::string holder_text(const Json& holder) {
  std::string text = text_of_status(holder.at("side")) + ": ";
  if (holder.at("process") == 0) return text + "a prepared transaction";
  text += "process " + holder.at("process").dump() + " (" +
          text_of_status(holder.at("application")) + ", user " + text_of_status(holder.at("user")) +
          ", from " + text_of_status(holder.at("address")) + ") " +
          text_of_status(holder.at("what")) + ", for " +
          time_text(holder.at("seconds").get<double>());
  if (!holder.at("query").empty()) text += ": " + text_of_status(holder.at("query"));
  return text;
}

/// Of rows whose name is not their text's.
std::string fact_text(const std::string& name, const Json& value) {
  if (name == "progress") return progress_text(value);
  if (name == "lag") return lag_text(value);
  if (name == "coordinator") return coordinator_text(value);
  return text_of_status(value);
}

}  // namespace

std::string to_lines(const Json& status) {
  std::string lines;
  const auto add = [&](const std::string& name, const std::string& text) {
    std::string padded = name;
    padded.resize(std::max<std::size_t>(name.size(), 14), ' ');
    lines += padded + " " + text + "\n";
  };
  for (const auto& [name, value] : status.items()) {
    if (value.is_null() || name == "running" || (value.is_array() && value.empty())) continue;
    if (name == "heldBy") {
      for (const Json& holder : value) add(name, holder_text(holder));
    } else if (name == "options") {
      for (const auto& [option, number] : value.items()) add(option, number.dump());
    } else if (name == "sides") {
      for (const auto& [side, standing] : value.items())
        add(side, !standing.at("problem").is_null()
                      ? "can't be asked: " + text_of_status(standing.at("problem"))
                  : standing.at("state").is_null() ? "has no row of the plan"
                                                   : text_of_status(standing.at("state")));
    } else {
      add(name, fact_text(name, value));
    }
  }
  return lines;
}

std::string to_line(const Json& status) {
  std::string line = "plan " + status.at("plan").dump() + ": " + text_of_status(status.at("act"));
  for (const char* name : {"progress", "lag", "waitsFor", "stopped", "irreversible"})
    if (status.contains(name) && !status.at(name).is_null())
      line += std::string("; ") + (name == std::string("progress") ? "" : name) +
              (name == std::string("progress") ? "" : " ") + fact_text(name, status.at(name));
  const std::string act = status.at("act");
  const bool over = act == "finished" || act == "aborted" || act == "rolled_back";
  if (!over && status.contains("coordinator") && !status["coordinator"]["lives"].is_null() &&
      !status["coordinator"]["lives"].get<bool>())
    line += "; no coordinator";
  return line;
}

}  // namespace reshard::cli
