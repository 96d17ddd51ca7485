#include "reshard/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

#include <nlohmann/json.hpp>

#include "ring/durable_file.hpp"

namespace reshard {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kPlanFile = "plan.json";
constexpr const char* kJournalFile = "journal.jsonl";
constexpr const char* kShownFile = "status.json";
constexpr const char* kMetricsFile = "metrics.prom";

/// After so long without a word nobody has the plan.
constexpr std::chrono::seconds kSilent{5};

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path.string() + ": can't be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

Json json_of(const ServerIdentity& identity) {
  return {{"timeline", identity.timeline},
          {"started", identity.started},
          {"address", identity.address}};
}

ServerIdentity identity_from(const Json& json) {
  return {json.at("timeline").get<std::string>(), json.at("started").get<std::string>(),
          json.at("address").get<std::string>()};
}

Json json_of(const State& state) {
  const Progress& at = state.progress;
  Json json{{"act", to_string(at.act)}, {"afterTakeOver", to_string(at.after_take_over)},
            {"attempt", at.attempt},    {"copies", at.copies},
            {"giveUp", at.give_up},     {"verifyAgain", at.verify_again}};
  if (state.identities)
    json["identities"] = {json_of(state.identities->at(0)), json_of(state.identities->at(1))};
  json["bound"] = {state.bound.before, state.bound.after};
  json["versions"] = state.versions;
  json["coordinators"] = state.coordinators;
  if (state.older_writers) json["olderWriters"] = *state.older_writers;
  json["tables"] = Json::object();
  for (const auto& [bucket, known] : state.tables)
    json["tables"][bucket] = {known.source, known.target};
  json["copied"] = state.copied;
  json["hooksDone"] = state.hooks_done;
  json["lock"] = state.lock;
  json["lockSince"] = state.lock_since;
  json["cachesUntil"] = state.caches_until;
  json["soakUntil"] = state.soak_until;
  if (state.soak_seconds) json["soakSeconds"] = *state.soak_seconds;
  if (state.taken_back_by != 0) json["takenBackBy"] = state.taken_back_by;
  json["stopped"] = state.stopped;
  json["irreversible"] = state.irreversible;
  json["logGivenUp"] = state.log_given_up;
  json["paused"] = state.paused;
  return json;
}

/// An older program did not say what its hooks hold.
void note_lock(State& state, const Json& json, const std::string& time) {
  const Act act = state.progress.act;
  const bool over = act == Act::finished || act == Act::aborted;
  if (json.contains("lock")) {
    json.at("lock").get_to(state.lock);
    json.at("lockSince").get_to(state.lock_since);
  } else if (!over && state.hooks_done["pre_lock"]) {
    state.lock = kLockHeld;
    state.lock_since = time;
  }
}

State state_from(const Json& json, const std::string& time) {
  const auto act = [&](const char* name) {
    const auto found = act_named(json.at(name).get<std::string>());
    if (!found) throw std::runtime_error(std::string("no act is called ") + json.at(name).dump());
    return *found;
  };
  State state;
  state.progress = {act("act"),
                    act("afterTakeOver"),
                    json.at("attempt").get<std::uint32_t>(),
                    json.at("copies").get<bool>(),
                    json.at("giveUp").get<bool>(),
                    json.at("verifyAgain").get<bool>()};
  if (json.contains("identities"))
    state.identities = {identity_from(json.at("identities").at(0)),
                        identity_from(json.at("identities").at(1))};
  if (json.contains("bound")) {
    state.bound = {json.at("bound").at(0).get<std::string>(),
                   json.at("bound").at(1).get<std::string>()};
    json.at("versions").get_to(state.versions);
    json.at("coordinators").get_to(state.coordinators);
    if (json.contains("olderWriters"))
      state.older_writers = json.at("olderWriters").get<std::array<std::vector<std::string>, 2>>();
    for (const auto& [bucket, known] : json.at("tables").items())
      state.tables[bucket] = {known.at(0).get<std::string>(), known.at(1).get<std::string>()};
  }
  json.at("copied").get_to(state.copied);
  json.at("hooksDone").get_to(state.hooks_done);
  note_lock(state, json, time);
  json.at("cachesUntil").get_to(state.caches_until);
  json.at("soakUntil").get_to(state.soak_until);
  if (json.contains("soakSeconds"))
    state.soak_seconds = json.at("soakSeconds").get<std::uint64_t>();
  state.taken_back_by = json.value("takenBackBy", std::uint64_t{0});
  json.at("stopped").get_to(state.stopped);
  json.at("irreversible").get_to(state.irreversible);
  state.log_given_up = json.value("logGivenUp", false);
  json.at("paused").get_to(state.paused);
  return state;
}

Json json_of(const Epochs& epochs) {
  return {{"source", epochs.source}, {"target", epochs.target}};
}

/// Older programs wrote none.
Epochs epochs_from(const Json& json) {
  const auto found = json.find("epochs");
  if (found == json.end()) return {};
  return {found->value("source", std::uint64_t{0}), found->value("target", std::uint64_t{0})};
}

/// One write, so that a crash cuts off at most this record's line; the next begins on a line of its
/// own.
void append(const fs::path& path, const std::string& line) {
  const auto fail = [&] { throw std::system_error(errno, std::generic_category(), path.string()); };
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) fail();
  const off_t bytes = lseek(file, 0, SEEK_END);
  char last = '\n';
  const bool cut = bytes > 0 && pread(file, &last, 1, bytes - 1) == 1 && last != '\n';
  const std::string whole = (cut ? "\n" : "") + line + "\n";
  const ssize_t written = write(file, whole.data(), whole.size());
  const bool all = written == static_cast<ssize_t>(whole.size());
  if (written >= 0 && !all) errno = ENOSPC;  // all but a full disk takes a line at once
  const bool good = all && fsync(file) == 0;
  const int reason = errno;
  close(file);
  errno = reason;
  if (!good) fail();
}

/// By a rename. It is shown, and nothing goes by it: what fails is not worth a word, and what was
/// shown before stays.
void replace_unsynced(const fs::path& path, const std::string& text) {
  const fs::path beside = path.string() + ".next";
  std::ofstream file(beside);
  file << text;
  file.close();
  std::error_code ignored;
  if (file) fs::rename(beside, path, ignored);
}

/// Whether the other process, by what it has shown last, has the plan and this one has not.
bool is_others(const Json& shown, const std::string& writer,
               const std::optional<Epochs>& coordinator) {
  if (!shown.is_object() || shown.value("writer", writer) == writer) return false;
  if (coordinator) return coordinator->outranked_by(epochs_from(shown));
  return time_until(shown.value("time", "1970-01-01T00:00:00.000Z")) > -kSilent;
}

}  // namespace

Journal::Journal(fs::path directory)
    : writer_(make_token()), directory_(std::move(directory)),
      plan_(plan_from_json(text_of(directory_ / kPlanFile))) {}

/// Aside first: commands that list the plans read each that is there.
Journal Journal::create(const fs::path& plans, const Plan& plan) {
  const fs::path directory = plans / plan.name(), aside = plans / (".new-" + plan.name());
  fs::create_directories(plans);
  if (fs::exists(directory)) throw std::runtime_error(directory.string() + ": is there already");
  fs::create_directory(aside);
  fs::permissions(aside, fs::perms::owner_all);  // URLs may hold passwords
  ring::durable::write(aside / kPlanFile, to_json_text(plan));
  ring::durable::rename(aside, directory);
  return Journal(directory);
}

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
      throw std::runtime_error((directory_ / kJournalFile).string() +
                               ": another version of the program has written the record of " +
                               json.value("time", "") + ", and this one can't go on from it (" +
                               error.what() + "): go on with that program");
    }
  }
  return state;
}

void Journal::record(const State& state, const std::string& event) {
  append_record(state, event, owes_first_);
}

void Journal::record_first(const State& state, const std::string& event, Epochs epochs) {
  epochs_ = epochs;
  owes_first_ = true;
  append_record(state, event, true);
}

void Journal::append_record(const State& state, const std::string& event, bool first) {
  Json line{{"time", time_now()}, {"by", this_author()}, {"process", getpid()},
            {"writer", writer_},  {"event", event},      {"state", json_of(state)}};
  if (first) {
    line["first"] = true;
    line["epochs"] = json_of(epochs_);
  }
  append(directory_ / kJournalFile, line.dump());
  owes_first_ = false;
}

/// One that is there and can't be read is not an empty one: its plan would begin anew.
std::vector<std::string> Journal::history() const {
  const fs::path path = directory_ / kJournalFile;
  std::vector<std::string> lines;
  errno = 0;
  std::ifstream file(path);
  if (!file && (errno != ENOENT || !fs::exists(directory_ / kPlanFile)))
    throw std::runtime_error(path.string() + ": can't be read");
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) lines.push_back(line);
  if (file.bad()) throw std::runtime_error(path.string() + ": can't be read");
  return lines;
}

void Journal::ask(const std::string& what) const {
  ring::durable::write(directory_ / what, time_now() + "\n");
}
void Journal::unask(const std::string& what) const { ring::durable::remove(directory_ / what); }
bool Journal::asked(const std::string& what) const { return asked_at(what).has_value(); }

std::optional<fs::file_time_type> Journal::asked_at(const std::string& what) const {
  std::error_code error;
  const auto time = fs::last_write_time(directory_ / what, error);
  if (error) return std::nullopt;
  return time;
}

void Journal::show(const std::string& json, const std::string& metrics,
                   std::optional<Epochs> coordinator) const try {
  if (is_others(Json::parse(shown(), nullptr, false), writer_, coordinator)) return;
  Json with = Json::parse(json);
  with["writer"] = writer_;
  with["epochs"] = json_of(coordinator.value_or(Epochs{}));
  replace_unsynced(directory_ / kShownFile, with.dump() + "\n");
  if (!metrics.empty()) replace_unsynced(directory_ / kMetricsFile, metrics);
} catch (const std::exception&) {
}

std::string Journal::shown() const {
  const fs::path path = directory_ / kShownFile;
  return fs::exists(path) ? text_of(path) : std::string();
}

std::vector<std::uint64_t> plans_in(const fs::path& plans) {
  std::vector<std::uint64_t> numbers;
  if (!fs::exists(plans)) return numbers;
  for (const auto& entry : fs::directory_iterator(plans)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && !name.empty() &&
        std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }))
      numbers.push_back(std::stoull(name));
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace reshard
