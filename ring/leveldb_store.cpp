#include "ring/leveldb_store.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <unordered_map>

#include <leveldb/db.h>
#include <leveldb/env.h>
#include <nlohmann/json.hpp>

#include "json/nesting.hpp"
#include "ring/digest.hpp"
#include "ring/directory_view.hpp"
#include "ring/overlay_env.hpp"
#include "ring/pnode_order.hpp"
#include "ring/version.hpp"
#include "ring/vnode_number.hpp"

namespace ring {
namespace {

constexpr int kAttempts = 5;
constexpr std::chrono::milliseconds kRetryPause{20};
constexpr std::string_view kVnodePrefix = "/VNODE/";
constexpr std::string_view kPnodePrefix = "/PNODE/";

/// A failure that may be another process compacting: worth another try.
class Unsettled : public RingError {
 public:
  using RingError::RingError;
};

const std::string kNoSuchKey = leveldb::Status::NotFound({}).ToString();

std::string_view view(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

/// Looks names up without making strings of them: a ring has millions of keys.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
using PnodeMap = std::unordered_map<std::string, std::uint16_t, TextHash, std::equal_to<>>;

/// Reads one ring from an open database; every complaint names the directory and the key.
class Reader {
 public:
  Reader(leveldb::DB& db, std::string directory) : db_(db), directory_(std::move(directory)) {
    options_.verify_checksums = true;
    options_.fill_cache = false;
  }

  RingParts read() {
    get("COMPLETE");
    parts_.version = parse("VERSION").is_string() ? parse("VERSION").get<std::string>() : "";
    if (!acceptable_version(parts_.version))
      refuse("VERSION",
             "version " + parts_.version + " is not compatible with current version 2,1,0");
    read_count();
    read_algorithm();
    read_pnodes();
    read_owners();
    read_data();
    return std::move(parts_);
  }

 private:
  [[noreturn]] void refuse(const std::string& key, const std::string& reason) const {
    throw RingError("ring " + directory_ + ": key " + key + ": " + reason);
  }
  void check(const leveldb::Status& status, const std::string& key) const {
    if (status.ok()) return;
    const std::string text = "ring " + directory_ + ": key " + key + ": " + status.ToString();
    if (status.IsCorruption() || status.IsNotFound()) throw Unsettled(text);
    throw RingError(text);
  }
  std::string get(const std::string& key) const {
    std::string value;
    const leveldb::Status status = db_.Get(options_, key, &value);
    // An absent key has no message; a table that another process has just removed has its name.
    if (status.ToString() == kNoSuchKey) refuse(key, "is missing; the ring is incomplete");
    check(status, key);
    return value;
  }
  nlohmann::json parse(const std::string& key) const {
    const std::string text = get(key);
    auto value = json::parse_bounded<nlohmann::json>(text);
    if (value.is_discarded()) refuse(key, "is not JSON: " + text.substr(0, 100));
    return value;
  }

  static std::string vnode_key(std::string_view digits) {
    return std::string(kVnodePrefix) + std::string(digits);
  }

  void read_count() {
    const auto count = parse("VNODE_COUNT");
    if (!count.is_number_integer() || count < 1 || count > kVnodesMax)
      refuse("VNODE_COUNT", "is not a number of vnodes: " + count.dump());
    parts_.owners.assign(count.get<std::size_t>(), kNobody);
  }
  void read_algorithm() {
    const auto algorithm = parse("ALGORITHM");
    const auto member = [&](const char* name) {
      if (!algorithm.is_object() || !algorithm.contains(name) || !algorithm[name].is_string())
        refuse("ALGORITHM", std::string("has no ") + name);
      return algorithm[name].get<std::string>();
    };
    const std::string name = member("NAME");
    const auto known = algorithm_named(name);
    if (!known) refuse("ALGORITHM", "algorithm " + name + " is not supported");
    parts_.algorithm = *known;
    parts_.interval_hex = member("VNODE_HASH_INTERVAL");
  }
  void read_pnodes() {
    const auto list = parse("/PNODE");
    if (!list.is_array()) refuse("/PNODE", "is not a list of pnodes");
    for (const auto& name : list) {
      if (!name.is_string()) refuse("/PNODE", "lists a pnode that is not a string");
      parts_.pnodes.push_back(name.get<std::string>());
    }
    if (const auto collision = key_collision(parts_.pnodes)) refuse("/PNODE", *collision);
    for (std::size_t i = 0; i < parts_.pnodes.size(); ++i) {
      by_json_.emplace(json_string(parts_.pnodes[i]), static_cast<std::uint16_t>(i));
      by_name_.emplace(parts_.pnodes[i], static_cast<std::uint16_t>(i));
    }
  }

  std::uint16_t pnode_of(std::string_view digits, std::string_view json_text) {
    const auto found = by_json_.find(json_text);
    if (found != by_json_.end()) return found->second;
    // Another spelling of the same string (escapes), or nobody's.
    const std::string key = vnode_key(digits);
    const auto name = json::parse_bounded<nlohmann::json>(json_text);
    if (!name.is_string()) refuse(key, "is not a pnode: " + std::string(json_text.substr(0, 100)));
    const auto named = by_name_.find(name.get<std::string>());
    if (named == by_name_.end())
      refuse(key, "names pnode " + std::string(json_text) + ", which /PNODE does not list");
    return by_json_.emplace(std::string(json_text), named->second).first->second;
  }

  template <typename See>
  void scan(std::string_view prefix, See see) {
    const std::unique_ptr<leveldb::Iterator> at(db_.NewIterator(options_));
    const leveldb::Slice begin(prefix.data(), prefix.size());
    for (at->Seek(begin); at->Valid() && at->key().starts_with(begin); at->Next())
      see(view(at->key()).substr(prefix.size()), view(at->value()));
    check(at->status(), std::string(prefix) + "*");
  }

  void read_owners() {
    std::vector<std::uint16_t>& owners = parts_.owners;
    scan(kVnodePrefix, [&](std::string_view digits, std::string_view value) {
      const auto vnode = vnode_number(digits);
      if (!vnode) refuse(vnode_key(digits), "is not the key of a vnode");
      if (*vnode >= owners.size())
        refuse(vnode_key(digits),
               "lies beyond the last vnode " + std::to_string(owners.size() - 1));
      owners[*vnode] = pnode_of(digits, value);
    });
    for (std::size_t vnode = 0; vnode < owners.size(); ++vnode)
      if (owners[vnode] == kNobody)
        refuse(vnode_key(std::to_string(vnode)), "is missing: the vnode has no pnode");
  }

  /// `/PNODE/<pnode>/<vnode>`; keys of lists, and of pnodes that don't own the vnode, don't count.
  void read_data() {
    std::vector<bool> seen(parts_.owners.size());
    std::string last_name;
    std::optional<std::uint16_t> last;
    scan(kPnodePrefix, [&](std::string_view rest, std::string_view value) {
      const std::size_t slash = rest.rfind('/');
      if (slash == std::string_view::npos) return;
      const auto vnode = vnode_number(rest.substr(slash + 1));
      if (!vnode || *vnode >= seen.size()) return;
      if (rest.substr(0, slash) != last_name) {
        last_name = rest.substr(0, slash);
        const auto found = by_name_.find(last_name);
        last = found == by_name_.end() ? std::nullopt : std::optional(found->second);
      }
      if (!last || parts_.owners[*vnode] != *last) return;
      seen[*vnode] = true;
      if (value == "1") return;
      if (json::nested_too_deep(value) || !nlohmann::json::accept(value))
        refuse(std::string(kPnodePrefix) + std::string(rest), "is not JSON, or nested too deep");
      parts_.data.emplace_back(*vnode, value);
    });
    for (std::size_t vnode = 0; vnode < seen.size(); ++vnode)
      if (!seen[vnode])
        refuse(std::string(kPnodePrefix) + parts_.pnodes[parts_.owners[vnode]] + "/" +
                   std::to_string(vnode),
               "is missing: the vnode has no data");
  }

  static constexpr std::uint16_t kNobody = 0xffff;

  leveldb::DB& db_;
  std::string directory_;
  leveldb::ReadOptions options_;
  RingParts parts_;
  PnodeMap by_json_;  // as values of /VNODE/<vnode> spell them
  PnodeMap by_name_;
};

std::shared_ptr<const Ring> try_load(const std::string& directory) {
  const DirectoryView before = DirectoryView::of(directory);
  const auto env = make_overlay_env(*leveldb::Env::Default());
  leveldb::Options options;
  options.env = env.get();
  options.create_if_missing = false;
  options.paranoid_checks = true;
  leveldb::DB* opened = nullptr;
  const leveldb::Status status = leveldb::DB::Open(options, directory, &opened);
  const auto close = [&env](leveldb::DB* database) {
    env->let_background_work_end();
    delete database;
  };
  const std::unique_ptr<leveldb::DB, decltype(close)> db(opened, close);
  if (!status.ok()) {
    const std::string text = "ring " + directory + ": cannot be opened: " + status.ToString();
    if (status.IsCorruption() || status.IsNotFound()) throw Unsettled(text);
    throw RingError(text);
  }
  if (DirectoryView::of(directory) != before)
    throw Unsettled("ring " + directory + ": another process changes its files all the time");
  try {
    return Ring::make(Reader(*db, directory).read());
  } catch (const std::invalid_argument& error) {
    throw RingError("ring " + directory + ": " + error.what());
  }
}

}  // namespace

std::shared_ptr<const Ring> load_leveldb(const std::filesystem::path& directory) {
  for (int attempt = 1;; ++attempt) {
    try {
      return try_load(directory.string());
    } catch (const Unsettled&) {
      if (attempt == kAttempts) throw;
      std::this_thread::sleep_for(kRetryPause);
    }
  }
}

}  // namespace ring
