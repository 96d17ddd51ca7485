#include "reshard/records/database_records.hpp"

#include <algorithm>
#include <iterator>
#include <system_error>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "reshard/database.hpp"
#include "reshard/records/epochs_json.hpp"
#include "reshard/schema.hpp"
#include "reshard/transaction.hpp"

namespace reshard {
namespace {

using backends::postgres::Session;
using backends::postgres::SessionError;
using Json = nlohmann::ordered_json;

constexpr std::array kBoth{Role::source, Role::target};
constexpr const char* kOptions = "options";

/// One that has just ended is still the server's for a moment.
constexpr std::chrono::seconds kCoordinatorEnds{5}, kAnswerLimit{2};
constexpr std::chrono::milliseconds kEndsLook{50};

std::string records_application(const Plan& plan) {
  return "moray-router reshard records " + plan.name();
}

/// For as long as the session's transaction lasts.
void await_no_coordinator(Session& session, const Plan& plan) {
  for (const auto until = std::chrono::steady_clock::now() + kCoordinatorEnds;;
       std::this_thread::sleep_for(kEndsLook)) {
    session.answer_until(std::chrono::steady_clock::now() + kAnswerLimit);
    const auto rows = session.run("SELECT pg_try_advisory_xact_lock(" +
                                  std::to_string(kCoordinatorLock) + ", " + plan.name() + ")");
    if (rows.text(0, 0) == "t") return;
    if (std::chrono::steady_clock::now() > until)
      throw NotCoordinator("plan " + plan.name() + " has a coordinator");
  }
}

}  // namespace

DatabaseRecords::DatabaseRecords(const Plan& plan, std::filesystem::path directory)
    : plan_(plan),
      directory_(std::move(directory)), sides_{SideSession(plan.from, Role::source,
                                                           records_application(plan)),
                                               SideSession(plan.to, Role::target,
                                                           records_application(plan))} {}

/// In their order at either side; a record that both have is one.
std::vector<std::string> DatabaseRecords::lines() const {
  kept::Lines all;
  std::string away;
  int answers = 0;
  for (const Role role : kBoth) try {
      all.merge(side(role).use([this](Session& session) { return kept::lines(session, plan_); }));
      ++answers;
    } catch (const SessionError& error) {
      if (taken_.contains(role)) throw Waiting(error.what());
      away += (away.empty() ? "" : "; ") + std::string(error.what());
    }
  if (answers == 0) throw Waiting("the journal: " + away);
  std::vector<std::string> lines;
  for (const auto& [seq, line] : all) {
    lines.push_back(line);
    last_seq_ = std::max(last_seq_, seq);
  }
  return lines;
}

std::array<std::string, 2> DatabaseRecords::row_states() const {
  std::array<std::string, 2> states;
  for (const Role role : kBoth) try {
      states[role == Role::source ? 0 : 1] =
          side(role).use([this](Session& session) { return kept::row_state(session, plan_); });
    } catch (const SessionError&) {
    }
  return states;
}

void DatabaseRecords::append(const std::string& line, const Tenure& by) {
  const bool target_first =
      by.target.session != nullptr && (by.deciding == Role::target || by.source.session == nullptr);
  const TakenSide& first = target_first ? by.target : by.source;
  const TakenSide& second = target_first ? by.source : by.target;
  if (first.session == nullptr) return append_alone(line);
  ++last_seq_;
  append_at(first, line);
  if (second.session == nullptr) return;
  try {
    static_cast<void>(kept::append(*second.session, plan_, second.epoch, last_seq_, line));
  } catch (const SessionError&) {  // the next act that needs that side finds out
  }
}

/// Where the epoch is a smaller one, or the definition is gone, a failover has taken them away: the
/// coordinator takes that side again.
void DatabaseRecords::append_at(const TakenSide& side, const std::string& line) {
  if (kept::append(*side.session, plan_, side.epoch, last_seq_, line)) return;
  if (kept::epoch_of(*side.session, plan_) > side.epoch)
    throw NotCoordinator("another coordinator has taken over");
  throw SessionError("the plan's records have gone back", "");
}

/// For somebody who is no coordinator: while there is none, and none that was can write any more.
void DatabaseRecords::append_alone(const std::string& line) {
  static_cast<void>(lines());
  ++last_seq_;
  std::string away;
  int sides = 0;
  for (const Role role : kBoth) try {
      side(role).use([&](Session& session) {
        Transaction transaction(session);
        await_no_coordinator(session, plan_);
        const std::uint64_t epoch = kept::epoch_of(session, plan_) + 1;
        kept::set_epoch(session, plan_, epoch);
        if (!kept::append(session, plan_, epoch, last_seq_, line)) return;
        transaction.commit();
        ++sides;
      });
    } catch (const SessionError& error) {
      away += std::string("; ") + error.what();
    }
  if (sides == 0) throw std::runtime_error("the journal is kept at neither side" + away);
}

void DatabaseRecords::carried_on() { watch_ = std::make_unique<Watch>(plan_); }

/// Definition, journal and asks: a failover may have taken any of them away here; or this side was
/// away when they were made. The other side's are asked of it if it answers.
void DatabaseRecords::taken(Role role, const TakenSide& taken) {
  Session& session = *taken.session;
  if (!kept::keep_definition(session, plan_, taken.epoch))
    throw NotCoordinator("the " + std::string(role == Role::source ? "source" : "target") +
                         " keeps another plan " + plan_.name());
  taken_.insert(role);
  kept::Lines others;
  kept::Asks asked;
  try {
    side(role == Role::source ? Role::target : Role::source).use([&](Session& other) {
      others = kept::lines(other, plan_);
      asked = kept::asks(other, plan_);
    });
  } catch (const SessionError&) {  // what it has is heard of when it is taken
  }
  const kept::Lines own = kept::lines(session, plan_);
  kept::Lines missing;
  std::set_difference(others.begin(), others.end(), own.begin(), own.end(),
                      std::inserter(missing, missing.end()));
  Transaction transaction(session);
  kept::copy(session, plan_, missing);
  kept::put(session, plan_, asked);
  transaction.commit();
  for (const kept::Lines* each : {&own, &std::as_const(others)})
    if (!each->empty()) last_seq_ = std::max(last_seq_, each->rbegin()->first);
}

kept::Asks DatabaseRecords::asks() const {
  if (watch_) return watch_->asks();
  kept::Asks all;
  std::string away;
  int answers = 0;
  for (const Role role : kBoth) try {
      merge(all, side(role).use([this](Session& session) { return kept::asks(session, plan_); }));
      ++answers;
    } catch (const SessionError& error) {
      away += (away.empty() ? "" : "; ") + std::string(error.what());
    }
  if (answers == 0) throw std::runtime_error(away);
  return all;
}

void DatabaseRecords::put(const std::string& what, bool asked, const std::string& value) {
  const kept::Asks all = asks();
  const auto found = all.find(what);
  const std::uint64_t last = found == all.end() ? 0 : found->second.number;
  const kept::Asks one{{what, {last + 1, asked, value}}};
  std::string away;
  int sides = 0;
  for (const Role role : kBoth) try {
      side(role).use([&](Session& session) { kept::put(session, plan_, one); });
      ++sides;
    } catch (const SessionError& error) {
      away += (away.empty() ? "" : "; ") + std::string(error.what());
    }
  if (sides == 0) throw std::runtime_error(away);
  if (watch_) watch_->note(one);
}

std::optional<std::string> DatabaseRecords::asked_at(const std::string& what) const try {
  const kept::Asks all = asks();
  const auto found = all.find(what);
  if (found == all.end() || !found->second.asked) return std::nullopt;
  return std::to_string(found->second.number);
} catch (const std::exception&) {
  return std::nullopt;
}

std::string DatabaseRecords::options() const {
  const kept::Asks all = asks();
  const auto found = all.find(kOptions);
  return found == all.end() ? std::string() : found->second.value;
}

void DatabaseRecords::set_options(const std::string& text) { put(kOptions, true, text); }

std::string DatabaseRecords::options_place() const { return "the options of plan " + plan_.name(); }

bool DatabaseRecords::show(const std::string& json, const std::string& writer,
                           const std::optional<Epochs>& coordinator) {
  if (!watch_) return coordinator.has_value();
  Json with = Json::parse(json);
  std::string as = with.value("act", "") + " " + with.value("waitsFor", "");
  with["writer"] = writer;
  with["epochs"] = json_of(coordinator.value_or(Epochs{}));
  watch_->show(with.dump(), coordinator, as != shown_as_);
  shown_as_ = std::move(as);
  return coordinator.has_value();
}

/// Of what the sides have, the newest.
std::string DatabaseRecords::shown() const {
  std::string newest, newest_time;
  for (const Role role : kBoth) try {
      const std::string text =
          side(role).use([this](Session& session) { return kept::shown(session, plan_); });
      const Json json = Json::parse(text, nullptr, false);
      if (!json.is_object() || json.value("time", "") < newest_time) continue;
      newest = text;
      newest_time = json.value("time", "");
    } catch (const SessionError&) {
    }
  return newest;
}

const std::filesystem::path& DatabaseRecords::directory() const {
  std::error_code ignored;
  std::filesystem::create_directories(directory_, ignored);
  return directory_;
}

}  // namespace reshard
