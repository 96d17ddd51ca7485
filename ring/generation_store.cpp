#include "ring/generation_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <system_error>
#include <utility>

#include "ring/durable_file.hpp"
#include "ring/leveldb_store.hpp"

namespace ring {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCurrent = "current";
constexpr const char* kPending = "pending";
constexpr const char* kHistory = "history";
constexpr std::uint64_t kNone = 0;             // no ring's number
constexpr const char* kStaging = ".staging-";  // unfinished: the next change removes it
constexpr const char* kDropped = ".dropped-";  // on its way out: the same

/// `17-<64 hex digits>`.
std::optional<Generation> read_name(const fs::path& directory) {
  const std::string name = directory.filename().string();
  const std::size_t dash = name.find('-');
  if (dash == std::string::npos || name.size() - dash - 1 != 64) return std::nullopt;
  Generation generation;
  const auto [end, error] = std::from_chars(name.data(), name.data() + dash, generation.number);
  if (error != std::errc() || end != name.data() + dash || generation.number == 0)
    return std::nullopt;
  generation.digest = name.substr(dash + 1);
  if (generation.digest.find_first_not_of("0123456789abcdef") != std::string::npos)
    return std::nullopt;
  generation.directory = directory;
  struct stat found {};
  if (stat(directory.c_str(), &found) == 0)
    generation.created = std::chrono::system_clock::from_time_t(found.st_mtime);
  return generation;
}

std::string name_of(std::uint64_t number, const std::string& digest) {
  return std::to_string(number) + "-" + digest;
}

/// By the number of each ring that is there and was in force, the one that it came after first. An
/// older program wrote none: there each has come after the one below, up to the current one.
std::map<std::uint64_t, std::uint64_t> history_of(const fs::path& store,
                                                  const std::vector<Generation>& all) {
  std::map<std::uint64_t, std::uint64_t> history;
  std::ifstream lines(store / kHistory);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::uint64_t number = 0, before = 0;
    if (words >> number >> before) history.emplace(number, before);
  }
  std::uint64_t current = kNone, lower = kNone;
  for (const Generation& each : all)
    if (each.current) current = each.number;
  if (history.empty())
    for (const Generation& each : all)
      if (each.number <= current) history.emplace(each.number, std::exchange(lower, each.number));
  std::erase_if(history, [&](const auto& known) {
    return std::none_of(all.begin(), all.end(),
                        [&](const Generation& each) { return each.number == known.first; });
  });
  return history;
}

std::string current_name(const fs::path& store) {
  std::error_code error;
  const fs::path target = fs::read_symlink(store / kCurrent, error);
  return error ? "" : target.filename().string();
}

bool is_table(const fs::path& file) {
  return file.extension() == ".ldb" || file.extension() == ".sst";
}

/// What LevelDB never changes is linked; what it appends to is copied.
void copy_ring(const fs::path& from, const fs::path& to) {
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    if (name == "LOCK" || name.starts_with("LOG")) continue;
    if (is_table(entry.path())) {
      fs::create_hard_link(entry.path(), to / name);
    } else {
      fs::copy_file(entry.path(), to / name);
    }
  }
}

void sync_ring(const fs::path& directory) {
  for (const auto& entry : fs::directory_iterator(directory)) durable::sync_file(entry.path());
  durable::sync_directory(directory);
}

}  // namespace

/// Held by a process that changes the store; freed by the system when its process dies.
class GenerationStore::Lock {
 public:
  explicit Lock(const fs::path& store)
      : file_(open((store / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    int taken = -1;
    while (file_ >= 0 && (taken = flock(file_, LOCK_EX)) != 0 && errno == EINTR) {
    }
    if (taken != 0) {
      const int problem = errno;
      if (file_ >= 0) close(file_);
      throw std::system_error(problem, std::generic_category(), (store / "lock").string());
    }
  }
  ~Lock() { close(file_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int file_;
};

bool GenerationStore::is_store(const fs::path& directory) {
  std::error_code ignored;
  return fs::is_symlink(directory / kCurrent, ignored);
}

bool GenerationStore::is_generation(const fs::path& directory) {
  std::error_code error;
  const fs::path real = fs::canonical(directory, error);
  return !error && read_name(real) && is_store(real.parent_path());
}

std::vector<Generation> GenerationStore::list() const {
  const std::string current = current_name(directory_);
  std::vector<Generation> all;
  if (!fs::is_directory(directory_))
    throw RingError("store " + directory_.string() + ": is not a directory");
  for (const auto& entry : fs::directory_iterator(directory_)) {
    auto generation = read_name(entry.path());
    if (!generation || !entry.is_directory()) continue;
    generation->current = entry.path().filename() == current;
    all.push_back(*std::move(generation));
  }
  std::sort(all.begin(), all.end(),
            [](const Generation& a, const Generation& b) { return a.number < b.number; });
  return all;
}

Generation GenerationStore::current() const {
  const auto all = list();
  const auto found =
      std::find_if(all.begin(), all.end(), [](const Generation& each) { return each.current; });
  if (found == all.end())
    throw RingError("store " + directory_.string() + ": `current` names no generation of it");
  return *found;
}

std::optional<Generation> GenerationStore::find(std::uint64_t number) const {
  for (const Generation& generation : list())
    if (generation.number == number) return generation;
  return std::nullopt;
}

std::optional<Generation> GenerationStore::find(std::uint64_t number,
                                                const std::string& digest) const {
  for (const Generation& generation : list())
    if (generation.number == number && generation.digest == digest) return generation;
  return std::nullopt;
}

std::optional<Generation> GenerationStore::newest(const std::string& digest) const {
  std::optional<Generation> found;
  for (Generation& generation : list())
    if (generation.digest == digest) found = std::move(generation);
  return found;
}

LoadedGeneration GenerationStore::load(const Generation& generation) const {
  LoadedGeneration loaded{generation, elsewhere_ ? elsewhere_(generation.directory)
                                                 : load_leveldb(generation.directory)};
  if (loaded.ring->digest() != generation.digest)
    throw RingError("ring " + generation.directory.string() + ": its digest is " +
                    loaded.ring->digest() + ": it was changed after it was stored");
  return loaded;
}

void GenerationStore::remove_leftovers() {
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(directory_)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kStaging) || name.starts_with(kDropped)) leftovers.push_back(entry.path());
  }
  for (const fs::path& leftover : leftovers) fs::remove_all(leftover);
}

/// A directory aside in which a ring is made, while the lock is held. What has not got its number
/// when this goes is removed: a failure leaves nothing.
class GenerationStore::Staging {
 public:
  explicit Staging(GenerationStore& store)
      : directory_(store.directory_ / (kStaging + std::to_string(getpid()))) {
    store.remove_leftovers();
  }
  ~Staging() {
    std::error_code ignored;  // the next change tries again
    fs::remove_all(directory_, ignored);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  void edit_copy_of(const Generation& generation, const DirectoryEdit& edit,
                    const Load& elsewhere) {
    fs::create_directory(directory_);
    copy_ring(generation.directory, directory_);
    if (elsewhere) {
      ring_ = elsewhere.edit(directory_, edit.text);
      return sync_ring(directory_);
    }
    edit.apply(directory_);
    load();
  }
  void make(const Ring& ring) {
    create_leveldb(directory_, ring);
    load();
  }

  [[nodiscard]] const fs::path& directory() const { return directory_; }
  [[nodiscard]] const std::shared_ptr<const Ring>& ring() const { return ring_; }

 private:
  void load() {
    ring_ = load_leveldb(directory_);  // every check, of what is truly on disk
    sync_ring(directory_);
  }

  fs::path directory_;
  std::shared_ptr<const Ring> ring_;
};

/// The staged directory gets its number; the lock is held.
LoadedGeneration GenerationStore::finish(const Staging& staging,
                                         std::optional<std::uint64_t> number) {
  const auto& ring = staging.ring();
  const auto all = list();
  if (number) {
    if (auto there = find(*number, ring->digest())) return {*std::move(there), ring};
  } else {
    // A coordinator that asks again after a crash finds what it staged before.
    if (!all.empty() && all.back().digest == ring->digest() && !all.back().current)
      return {all.back(), ring};
    number = all.empty() ? 1 : all.back().number + 1;
  }
  const fs::path directory = directory_ / name_of(*number, ring->digest());
  durable::rename(staging.directory(), directory);
  return {*read_name(directory), ring};
}

LoadedGeneration GenerationStore::stage_edit(const DirectoryEdit& edit,
                                             std::optional<std::uint64_t> number) {
  const Lock lock(directory_);
  Staging staging(*this);
  staging.edit_copy_of(current(), edit, elsewhere_);
  return finish(staging, number);
}

LoadedGeneration GenerationStore::stage_ring(const Ring& ring,
                                             std::optional<std::uint64_t> number) {
  fs::create_directories(directory_);
  const Lock lock(directory_);
  Staging staging(*this);
  staging.make(ring);
  return finish(staging, number);
}

std::string GenerationStore::rehearse_edit(const DirectoryEdit& edit) {
  const Lock lock(directory_);
  Staging staging(*this);
  staging.edit_copy_of(current(), edit, elsewhere_);
  return staging.ring()->digest();
}

std::string GenerationStore::rehearse_ring(const Ring& ring) {
  const Lock lock(directory_);
  Staging staging(*this);
  staging.make(ring);
  return staging.ring()->digest();
}

std::optional<std::uint64_t> GenerationStore::before(const Generation& generation) const {
  const auto all = list();
  const auto history = history_of(directory_, all);
  const auto known = history.find(generation.number);
  std::uint64_t number = kNone;
  if (known != history.end())
    number = known->second;
  else
    for (const Generation& each : all)
      if (each.number < generation.number) number = each.number;
  return number == kNone ? std::nullopt : std::optional(number);
}

/// The history first: a line of a ring that is not in force yet harms nothing.
void GenerationStore::activate(const Generation& generation) {
  const Lock lock(directory_);
  const auto all = list();
  const auto now =
      std::find_if(all.begin(), all.end(), [](const Generation& each) { return each.current; });
  auto history = history_of(directory_, all);
  history.emplace(generation.number, now == all.end() ? kNone : now->number);
  std::string text;
  for (const auto& [number, before] : history)
    text += std::to_string(number) + " " + std::to_string(before) + "\n";
  durable::write(directory_ / kHistory, text);
  durable::link_to(generation.directory.filename(), directory_ / kCurrent);
}

void GenerationStore::forget_old(std::size_t keep) {
  const Lock lock(directory_);
  auto all = list();
  const std::string waiting = pending();
  std::erase_if(all, [&](const Generation& each) {
    return each.current || waiting.find(each.digest) != std::string::npos;
  });
  for (std::size_t i = 0; i + keep < all.size() + 1; ++i) remove(all[i]);
}

void GenerationStore::forget_not_below_current() {
  const Lock lock(directory_);
  const Generation now = current();
  for (const Generation& each : list())
    if (!each.current && each.number >= now.number) remove(each);
}

/// The lock is held.
void GenerationStore::remove(const Generation& generation) {
  const fs::path dropped = directory_ / (kDropped + generation.directory.filename().string());
  durable::rename(generation.directory, dropped);
  fs::remove_all(dropped);
}

void GenerationStore::drop(const Generation& generation) {
  const Lock lock(directory_);
  if (generation.directory.filename() == current_name(directory_))
    throw RingError("generation " + std::to_string(generation.number) + " is current");
  remove(generation);
}

std::string GenerationStore::pending() const {
  std::ifstream file(directory_ / kPending);
  return {std::istreambuf_iterator<char>(file), {}};
}

void GenerationStore::set_pending(const std::string& text) {
  if (text.empty())
    durable::remove(directory_ / kPending);
  else
    durable::write(directory_ / kPending, text);
}

}  // namespace ring
