#include "ring_tool/stored_ring.hpp"

#include <algorithm>
#include <charconv>

#include <leveldb/write_batch.h>

#include "ring/big_number.hpp"
#include "ring/digest.hpp"
#include "ring/interval.hpp"
#include "ring/pnode_order.hpp"
#include "ring/version.hpp"
#include "ring/vnode_number.hpp"
#include "ring_tool/failure.hpp"
#include "ring_tool/stored_keys.hpp"

namespace ring_tool {
namespace {

using Json = nlohmann::ordered_json;

/// Numbers, or texts of numbers as node-fash's deserialize wrote them. nullopt: no such list.
std::optional<std::vector<std::uint32_t>> parse_list(const std::string& text) {
  std::vector<std::uint32_t> vnodes;
  if (text.empty()) return vnodes;  // a pnode that never had one
  const Json list = Json::parse(text, nullptr, false);
  if (!list.is_array()) return std::nullopt;
  for (const Json& entry : list) {
    const auto vnode =
        ring::vnode_number(entry.is_string() ? entry.get<std::string>() : entry.dump());
    if (!vnode) return std::nullopt;
    vnodes.push_back(*vnode);
  }
  return vnodes;
}

}  // namespace

std::string text_of(const std::string& json) {
  const Json value = Json::parse(json, nullptr, false);
  return value.is_string() ? value.get<std::string>() : "";
}

StoredRing::StoredRing(const std::string& directory, Access access)
    : editing_(access == Access::edit) {
  try {
    open(directory, access);
    check();
  } catch (const Failure& failure) {
    throw Failure("unable to load ring from db: " + std::string(failure.what()));
  }
}

StoredRing::~StoredRing() {
  if (env_ != nullptr) env_->let_background_work_end();
}

void StoredRing::open(const std::string& directory, Access access) {
  leveldb::Options options;
  options.compression = leveldb::kNoCompression;
  options.paranoid_checks = true;
  if (access == Access::read) {
    env_ = ring::make_overlay_env(*leveldb::Env::Default());
    options.env = env_.get();
  }
  leveldb::DB* opened = nullptr;
  const leveldb::Status status = leveldb::DB::Open(options, directory, &opened);
  if (!status.ok()) throw Failure(": " + status.ToString());
  db_.reset(opened);
}

void StoredRing::check() {
  required("COMPLETE", kNotFound);
  const Json version = Json::parse(required("VERSION", kNotFound), nullptr, false);
  if (!version.is_string()) throw Failure(": options.topology.version (string) is required");
  if (!ring::acceptable_version(version.get<std::string>()))
    throw Failure(": version " + version.get<std::string>() +
                  " is not compatible with current version 2,1,0");
  const auto count = ring::vnode_number(required("VNODE_COUNT", kNotFound));
  if (!count || *count == 0 || *count > ring::kVnodesMax)
    throw Failure(": VNODE_COUNT is no number of vnodes");
  vnode_count_ = *count;
  if (text_of(required(vnode_key(vnode_count_ - 1), kNotFound)).empty())
    throw Failure(": " + vnode_key(vnode_count_ - 1) + " names no pnode");
  required("ALGORITHM", kNotFound);
}

std::optional<std::string> StoredRing::get(const std::string& key) {
  if (const auto staged = staged_.find(key); staged != staged_.end()) return staged->second;
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  std::string value;
  const leveldb::Status status = db_->Get(options, key, &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) throw Failure(key + ": " + status.ToString());
  return value;
}

std::string StoredRing::required(const std::string& key, const std::string& failure) {
  auto value = get(key);
  if (!value) throw Failure(failure);
  return *std::move(value);
}

/// nullptr: there is none.
std::vector<std::uint32_t>* StoredRing::list(const std::string& key) {
  if (const auto known = lists_.find(key); known != lists_.end()) return &known->second;
  const auto text = get(key);
  if (!text) return nullptr;
  auto parsed = parse_list(*text);
  if (!parsed) return nullptr;
  return &(lists_[key] = *std::move(parsed));
}

std::vector<std::string> StoredRing::names() {
  const Json list = Json::parse(required("/PNODE", kNotFound), nullptr, false);
  if (!list.is_array()) throw Failure("/PNODE is no list");
  std::vector<std::string> result;
  for (const Json& name : list)
    if (name.is_string()) result.push_back(name.get<std::string>());
  return result;
}

Place StoredRing::locate(const std::string& key) {
  const Json algorithm = Json::parse(required("ALGORITHM", kNotFound), nullptr, false);
  const auto text = [&](const char* name) {
    const auto found = algorithm.is_object() ? algorithm.find(name) : algorithm.end();
    return found != algorithm.end() && found->is_string() ? found->get<std::string>()
                                                          : std::string();
  };
  const auto known = ring::algorithm_named(text("NAME"));
  const auto number = ring::BigNumber::from_hex(text("VNODE_HASH_INTERVAL"));
  const auto interval = known && number ? ring::Interval::make(*known, *number) : std::nullopt;
  if (!interval) throw Failure("ALGORITHM is damaged");
  const auto found = static_cast<std::int64_t>(interval->divide(ring::hash(*known, key)));
  const std::string pnode = text_of(required(vnode_key(found), kNotFound));
  return {pnode, static_cast<std::uint32_t>(found),
          Json::parse(required(data_key(pnode, found), kNotFound))};
}

Place StoredRing::vnode(std::int64_t vnode) {
  const std::string digits = std::to_string(vnode);
  const std::string pnode =
      text_of(required(vnode_key(vnode), ": cannot get pnode for vnode " + digits + ", vnode " +
                                             digits + " or pnode undefined may not exist."));
  return {pnode, static_cast<std::uint32_t>(vnode),
          Json::parse(required(data_key(pnode, vnode),
                               ": cannot get data for vnode " + digits + " and pnode " + pnode))};
}

std::vector<std::string> StoredRing::pnodes() {
  if (!get("/PNODE")) throw Failure("unable to get Pnodes: NotFound: ");
  return names();
}

std::vector<std::uint32_t> StoredRing::vnodes_of(const std::string& pnode) {
  // What is at "/PNODE/a/0" is the data of a vnode of "a", unless "a/0" is a pnode.
  const std::vector<std::string> known = names();
  if (std::find(known.begin(), known.end(), pnode) == known.end())
    throw Failure("pnode is not in ring: NotFound: ");
  const auto* vnodes = list("/PNODE/" + pnode);
  if (vnodes == nullptr) throw Failure("pnode is not in ring: NotFound: ");
  return *vnodes;
}

std::vector<std::uint32_t> StoredRing::data_vnodes() {
  const auto* vnodes = list("VNODE_DATA");
  if (vnodes == nullptr) throw Failure("unable to get the vnodes with data: NotFound: ");
  return *vnodes;
}

std::vector<std::string> StoredRing::owner_of_each() {
  std::vector<std::string> owners(vnode_count_);
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;
  const std::unique_ptr<leveldb::Iterator> each(db_->NewIterator(options));
  const std::string prefix = "/VNODE/";
  for (each->Seek(prefix); each->Valid() && each->key().starts_with(prefix); each->Next()) {
    const auto vnode = ring::vnode_number(
        {each->key().data() + prefix.size(), each->key().size() - prefix.size()});
    if (vnode && *vnode < vnode_count_) owners[*vnode] = text_of(each->value().ToString());
  }
  for (const auto& [key, value] : staged_)
    if (key.starts_with(prefix) && value)
      if (const auto vnode = ring::vnode_number(key.substr(prefix.size())))
        owners[*vnode] = text_of(*value);
  if (!each->status().ok()) throw Failure("unable to serialize ring: " + each->status().ToString());
  if (std::find(owners.begin(), owners.end(), "") != owners.end())
    throw Failure("unable to serialize ring: " + kNotFound);
  return owners;
}

std::vector<std::pair<std::string, std::vector<std::uint32_t>>> StoredRing::owners() {
  const std::vector<std::string> each = owner_of_each();
  std::vector<std::pair<std::string, std::vector<std::uint32_t>>> result;
  std::unordered_map<std::string, std::size_t> index;
  for (std::uint32_t v = 0; v < each.size(); ++v) {
    const auto [at, fresh] = index.emplace(each[v], result.size());
    if (fresh) result.push_back({each[v], {}});
    result[at->second].second.push_back(v);
  }
  return result;
}

std::string StoredRing::serialize() {
  const std::vector<std::string> owner = owner_of_each();
  std::vector<std::string> data(vnode_count_);
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;
  const std::string prefix = "/PNODE/";
  const auto take = [&](std::string_view key, std::string_view value) {
    const std::size_t slash = key.rfind('/');
    const auto vnode =
        slash > prefix.size() - 1 ? ring::vnode_number(key.substr(slash + 1)) : std::nullopt;
    if (vnode && *vnode < vnode_count_ &&
        owner[*vnode] == key.substr(prefix.size(), slash - prefix.size()))
      data[*vnode] = value;
  };
  const std::unique_ptr<leveldb::Iterator> each(db_->NewIterator(options));
  for (each->Seek(prefix); each->Valid() && each->key().starts_with(prefix); each->Next())
    take({each->key().data(), each->key().size()}, {each->value().data(), each->value().size()});
  if (!each->status().ok()) throw Failure("unable to serialize ring: " + each->status().ToString());
  for (const auto& [key, value] : staged_)
    if (key.starts_with(prefix) && value) take(key, *value);

  auto pnodes = owners();
  std::stable_sort(pnodes.begin(), pnodes.end(), [](const auto& a, const auto& b) {
    return ring::before_in_javascript(a.first, b.first);
  });
  std::string text = "{\"vnodes\":" + std::to_string(vnode_count_) + ",\"pnodeToVnodeMap\":{";
  for (const auto& [name, vnodes] : pnodes) {
    if (text.back() == '}') text += ',';
    text += ring::json_string(name) + ":{";
    for (const std::uint32_t vnode : vnodes) {
      if (data[vnode].empty()) throw Failure("unable to serialize ring: " + kNotFound);
      if (text.back() != '{') text += ',';
      text += "\"" + std::to_string(vnode) + "\":" + data[vnode];
    }
    text += '}';
  }
  return text + "},\"algorithm\":" + *get("ALGORITHM") + ",\"version\":" + *get("VERSION") + "}";
}

}  // namespace ring_tool
