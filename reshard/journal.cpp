#include "reshard/journal.hpp"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "reshard/records/epochs_json.hpp"
#include "reshard/records/shown_file.hpp"
#include "reshard/standing.hpp"
#include "reshard/state_json.hpp"

namespace reshard {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kMetricsFile = "metrics.prom";

Json line_of(const State& state, const std::string& event, const std::string& writer) {
  return {{"time", time_now()}, {"by", this_author()}, {"process", getpid()},
          {"writer", writer},   {"event", event},      {"state", json_of(state)}};
}

void make_first(Json& line, const Epochs& epochs) {
  line["first"] = true;
  line["epochs"] = json_of(epochs);
}

}  // namespace

std::string first_line(const State& state, const std::string& event) {
  Json line = line_of(state, event, make_token());
  make_first(line, {});
  return line.dump();
}

Journal::Journal(Plan plan, std::unique_ptr<Records> records, std::shared_ptr<Plans> plans)
    : writer_(make_token()), plan_(std::move(plan)), records_(std::move(records)),
      plans_(std::move(plans)) {}

/// A first record of a coordinator that had been followed by another one when it wrote it, since it
/// was stopped between taking the plan and that, counts no more than what it has written later.
State Journal::read() const {
  State state;
  if (plan_.reverts != 0) state.progress = rollback();
  std::string writer;
  Epochs latest;
  for (const std::string& line : history()) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_discarded()) continue;  // cut off by a crash: it was not acted on
    const std::string by = json.value("writer", "");
    const Epochs epochs = epochs_from(json);
    if (json.value("first", false) && !epochs.outranked_by(latest)) {
      writer = by;
      latest = {std::max(latest.source, epochs.source), std::max(latest.target, epochs.target)};
    }
    if (!writer.empty() && by != writer) continue;
    try {
      state = state_from(json.at("state"), json.value("time", ""));
    } catch (const std::exception& error) {
      throw std::runtime_error("plan " + plan_.name() +
                               ": another version of the program has written the record of " +
                               json.value("time", "") + ", and this one can't go on from it (" +
                               error.what() + "): go on with that program");
    }
  }
  const auto [source, target] = records_->row_states();
  state.progress = believed(state.progress, source, target);
  return state;
}

void Journal::record(const State& state, const std::string& event, const Tenure& by) {
  append_record(state, event, owes_first_, by);
}

void Journal::record_first(const State& state, const std::string& event, const Tenure& by) {
  owes_first_ = true;
  append_record(state, event, true, by);
}

void Journal::append_record(const State& state, const std::string& event, bool first,
                            const Tenure& by) {
  Json line = line_of(state, event, writer_);
  if (first) make_first(line, by.epochs());
  records_->append(line.dump(), by);
  owes_first_ = false;
}

void Journal::taken(Role role, const TakenSide& side) {
  records_->taken(role, side);
  owes_first_ = owes_first_ || records_->by_side();
}

Settings Journal::settings() const {
  const std::string text = records_->options();
  return text.empty() ? Settings() : settings_from_json(text, records_->options_place());
}

void Journal::show(const std::string& json, const std::string& metrics,
                   std::optional<Epochs> coordinator) const try {
  if (records_->show(json, writer_, coordinator) && !metrics.empty())
    replace_shown(directory() / kMetricsFile, metrics);
} catch (const std::exception&) {
}

}  // namespace reshard
