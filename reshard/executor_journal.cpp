// What a coordinator records and shows of itself, and what people ask of it.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "reshard/executor.hpp"

namespace reshard {
namespace {

constexpr std::chrono::milliseconds kShowEach{250};

}  // namespace

/// Clients may be waiting: nothing is written to a disk that may be slow or full. Before `block`
/// the journal says that whoever takes over backs out first, which the row refuses once it is
/// committed: so that row leads on from any of these acts.
bool Executor::row_decides() const {
  const Progress& at = state_.progress;
  const Act act = at.act == Act::take_over ? at.after_take_over : at.act;
  return !opened_ && ((act >= Act::block && act <= Act::unblock) || act == Act::back_out ||
                      act == Act::unblock_source);
}

/// Written only when a coordinator that reads it would do something else than by the last record.
/// Throws JournalFailed where nothing is blocked; else what is lacking is written later.
void Executor::record(const std::string& event, bool first) {
  State now = state_, before = recorded_;
  now.progress = resumed(now.progress);
  before.progress = resumed(before.progress);
  if (now == before && event.empty() && !unrecorded_) return;
  unrecorded_ = true;
  if (row_decides() && !first) return;
  try {
    const std::string name = event.empty() ? std::string(to_string(state_.progress.act)) : event;
    if (first)
      journal_.record_first(state_, name, tenure());
    else
      journal_.record(state_, name, tenure());
  } catch (const NotCoordinator&) {
    throw;
  } catch (const backends::postgres::SessionError&) {
    if (may_end_here()) throw;  // as any server that is lost
    return;
  } catch (const std::exception& error) {
    if (journal_problem_.empty())
      watcher_.alarm(std::string("the journal can't be written: ") + error.what() +
                     "; the plan stops where nothing is blocked");
    journal_problem_ = error.what();
    if (may_end_here()) throw JournalFailed(journal_problem_);
    return;
  }
  recorded_ = state_;
  unrecorded_ = false;
  journal_problem_.clear();
}

/// The same without a throw; false: the journal can't be written. Where no more than its server was
/// lost, that is waited for, by taking over.
bool Executor::recorded(const std::string& event, bool first) {
  journal_lost_.clear();
  try {
    record(event, first);
  } catch (const JournalFailed&) {
  } catch (const backends::postgres::SessionError& lost) {
    journal_lost_ = lost.what();
  }
  return journal_problem_.empty() && journal_lost_.empty();
}

void Executor::show() {
  if (Clock::now() - shown_ < kShowEach) return;
  if (!ours_ && waiting_for_.empty()) return;  // another one may have the plan
  shown_ = Clock::now();
  static const std::string author = this_author();
  nlohmann::ordered_json shown{{"time", time_now()},
                               {"by", author},
                               {"process", getpid()},
                               {"act", to_string(state_.progress.act)},
                               {"attempt", state_.progress.attempt},
                               {"failures", failures_.empty() ? 0 : failures_.begin()->second},
                               {"waitsFor", waiting_for_}};
  if (!journal_problem_.empty()) shown["journal"] = journal_problem_;
  shown.update(nlohmann::ordered_json::parse(figures_.to_json_text(shown_)));
  std::string metrics;
  if (!block_began_) {
    try {
      if (!hook_times_) hook_times_ = hook_times(journal_.history());
    } catch (const std::runtime_error&) {  // the next ones come with the journal's server
    }
    metrics = metrics_text(plan_, state_, figures_, hook_times_.value_or(HookTimes()));
  }
  journal_.show(shown.dump(), metrics, ours_ ? std::optional(tenure().epochs()) : std::nullopt);
}

/// What is asked while this coordinator has the plan, or waits for it, is asked of it.
bool Executor::stop_asked() const { return interrupted_() || pause_asked(); }

bool Executor::pause_asked() const {
  const auto asked = journal_.asked_at("pause");
  return asked && asked != others_pause_;
}

/// One that stays is heard again by the next coordinator, which harms nothing.
void Executor::drop_ask(const std::string& what) {
  try {
    journal_.unask(what);
  } catch (const std::exception& error) {
    watcher_.alarm("the ask to " + what + " can't be removed: " + error.what());
  }
}

}  // namespace reshard
