#include "reshard/records/directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

#include <nlohmann/json.hpp>

#include "reshard/database.hpp"
#include "reshard/records/epochs_json.hpp"
#include "reshard/records/shown_file.hpp"
#include "ring/durable_file.hpp"

namespace reshard {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kPlanFile = "plan.json";
constexpr const char* kJournalFile = "journal.jsonl";
constexpr const char* kOptionsFile = "options.json";
constexpr const char* kShownFile = "status.json";

/// After so long without a word nobody has the plan.
constexpr std::chrono::seconds kSilent{5};

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path.string() + ": can't be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

/// One write, so that a crash cuts off at most this record's line; the next begins on a line of its
/// own.
void append_line(const fs::path& path, const std::string& line) {
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

/// Whether the other process, by what it has shown last, has the plan and this one has not.
bool is_others(const Json& shown, const std::string& writer,
               const std::optional<Epochs>& coordinator) {
  if (!shown.is_object() || shown.value("writer", writer) == writer) return false;
  if (coordinator) return coordinator->outranked_by(epochs_from(shown));
  return time_until(shown.value("time", "1970-01-01T00:00:00.000Z")) > -kSilent;
}

class DirectoryRecords : public Records {
 public:
  explicit DirectoryRecords(fs::path directory) : directory_(std::move(directory)) {}

  /// One that is there and can't be read is not an empty one.
  [[nodiscard]] std::vector<std::string> lines() const override {
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
  void append(const std::string& line, const Tenure& /*by*/) override {
    append_line(directory_ / kJournalFile, line);
  }

  void ask(const std::string& what) override {
    ring::durable::write(directory_ / what, time_now() + "\n");
  }
  void unask(const std::string& what) override { ring::durable::remove(directory_ / what); }
  [[nodiscard]] std::optional<std::string> asked_at(const std::string& what) const override {
    std::error_code error;
    const auto time = fs::last_write_time(directory_ / what, error);
    if (error) return std::nullopt;
    return std::to_string(time.time_since_epoch().count());
  }

  [[nodiscard]] std::string options() const override {
    const fs::path path = directory_ / kOptionsFile;
    return fs::exists(path) ? text_of(path) : std::string();
  }
  void set_options(const std::string& text) override {
    ring::durable::write(directory_ / kOptionsFile, text);
  }
  [[nodiscard]] std::string options_place() const override {
    return (directory_ / kOptionsFile).string();
  }

  bool show(const std::string& json, const std::string& writer,
            const std::optional<Epochs>& coordinator) override {
    if (is_others(Json::parse(shown(), nullptr, false), writer, coordinator)) return false;
    Json with = Json::parse(json);
    with["writer"] = writer;
    with["epochs"] = json_of(coordinator.value_or(Epochs{}));
    replace_shown(directory_ / kShownFile, with.dump() + "\n");
    return true;
  }
  [[nodiscard]] std::string shown() const override {
    const fs::path path = directory_ / kShownFile;
    return fs::exists(path) ? text_of(path) : std::string();
  }

  [[nodiscard]] const fs::path& directory() const override { return directory_; }

 private:
  fs::path directory_;
};

[[noreturn]] void fail(const fs::path& path, int reason) {
  throw ActFailed("the site's lock: " + path.string() + ": " +
                  std::generic_category().message(reason));
}

/// By a lock on a file, which ends with its process.
class FileTurn : public LockTurn {
 public:
  explicit FileTurn(const fs::path& path) {
    file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file_ < 0) fail(path, errno);
    if (flock(file_, LOCK_EX | LOCK_NB) == 0) return;
    const int reason = errno;
    close(file_);
    if (reason != EWOULDBLOCK) fail(path, reason);
    throw Waiting("another plan takes the site's lock, or gives it back, at this moment");
  }
  ~FileTurn() override { close(file_); }

 private:
  int file_;
};

}  // namespace

std::vector<std::uint64_t> DirectoryPlans::numbers() {
  std::vector<std::uint64_t> numbers;
  if (!fs::exists(plans_)) return numbers;
  for (const auto& entry : fs::directory_iterator(plans_)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && !name.empty() &&
        std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }))
      numbers.push_back(std::stoull(name));
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Journal DirectoryPlans::open(std::uint64_t number) {
  const fs::path directory = plans_ / std::to_string(number);
  if (!fs::exists(directory / kPlanFile))
    throw std::runtime_error((directory / kPlanFile).string() +
                             ": can't be read; plans of a fleet are found by --config");
  Plan plan = plan_from_json(text_of(directory / kPlanFile));
  if (config_) take_routers(plan, *config_);
  return {std::move(plan), std::make_unique<DirectoryRecords>(directory), shared_from_this()};
}

/// Aside first: commands that list the plans read each that is there.
Journal DirectoryPlans::create(const Plan& plan, const std::optional<Begun>& begun) {
  const fs::path directory = plans_ / plan.name(), aside = plans_ / (".new-" + plan.name());
  fs::create_directories(plans_);
  if (fs::exists(directory)) throw std::runtime_error(directory.string() + ": is there already");
  fs::remove_all(aside);  // of one that was cut off
  fs::create_directory(aside);
  fs::permissions(aside, fs::perms::owner_all);  // URLs may hold passwords
  ring::durable::write(aside / kPlanFile, to_json_text(plan));
  if (begun) append_line(aside / kJournalFile, first_line(begun->state, begun->event));
  ring::durable::rename(aside, directory);
  return open(plan.number);
}

std::uint64_t DirectoryPlans::last_number() {
  const auto all = numbers();
  return all.empty() ? 0 : all.back();
}

std::unique_ptr<LockTurn> DirectoryPlans::lock_turn() {
  return std::make_unique<FileTurn>(plans_ / ".lock");
}

std::string DirectoryPlans::words() const {
  return plans_ == kStateDirectory ? "" : " --state " + plans_.string();
}

std::string DirectoryPlans::place_of(const Plan& plan) const {
  return (plans_ / plan.name()).string();
}

}  // namespace reshard
