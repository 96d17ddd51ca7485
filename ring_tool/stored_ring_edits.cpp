// StoredRing's editing half: staged, then written as one synced batch.
#include <algorithm>
#include <charconv>

#include <leveldb/write_batch.h>

#include "ring/digest.hpp"
#include "ring/pnode_order.hpp"
#include "ring_tool/failure.hpp"
#include "ring_tool/stored_keys.hpp"
#include "ring_tool/stored_ring.hpp"

namespace ring_tool {
namespace {

using Json = nlohmann::ordered_json;

std::string list_text(const std::vector<std::uint32_t>& vnodes) {
  std::string text = "[";
  for (const std::uint32_t vnode : vnodes) {
    if (text.size() > 1) text += ',';
    char digits[16];
    text.append(digits, std::to_chars(digits, digits + sizeof digits, vnode).ptr);
  }
  return text + "]";
}

/// Members marked by their number, for many; a walk along the list for each, for few.
constexpr std::size_t kFew = 8;

std::vector<bool> marks_of(const std::vector<std::uint32_t>& vnodes) {
  std::vector<bool> marks(*std::max_element(vnodes.begin(), vnodes.end()) + std::size_t{1});
  for (const std::uint32_t vnode : vnodes) marks[vnode] = true;
  return marks;
}

std::optional<std::uint32_t> first_missing(const std::vector<std::uint32_t>& all,
                                           const std::vector<std::uint32_t>& wanted) {
  std::vector<bool> there;
  if (wanted.size() > kFew) there = marks_of(all.empty() ? std::vector<std::uint32_t>{0} : all);
  for (const std::uint32_t vnode : wanted) {
    const bool found = wanted.size() > kFew ? vnode < there.size() && there[vnode] && !all.empty()
                                            : std::find(all.begin(), all.end(), vnode) != all.end();
    if (!found) return vnode;
  }
  return std::nullopt;
}

/// Every one of `some` is there, once.
void take_out(std::vector<std::uint32_t>& all, const std::vector<std::uint32_t>& some) {
  if (some.size() > kFew) {
    const std::vector<bool> leaves = marks_of(some);
    std::erase_if(all, [&](std::uint32_t vnode) { return vnode < leaves.size() && leaves[vnode]; });
    return;
  }
  for (const std::uint32_t vnode : some) all.erase(std::find(all.begin(), all.end(), vnode));
}

}  // namespace

void StoredRing::add_data(std::int64_t vnode, const std::string& data) {
  if (vnode < 0) throw Failure("unable to add data: NotFound: ");
  add_data(std::vector<std::uint32_t>{static_cast<std::uint32_t>(vnode)}, data);
}

void StoredRing::add_data(const std::vector<std::uint32_t>& vnodes, const std::string& data) {
  if (vnodes.empty()) return;
  std::vector<std::uint32_t>* with_data = list("VNODE_DATA");
  std::vector<std::string> owners;
  for (const std::uint32_t vnode : vnodes) {
    const auto owner = get(vnode_key(vnode));
    if (!owner || with_data == nullptr) throw Failure("unable to add data: NotFound: ");
    owners.push_back(text_of(*owner));
  }
  std::set<std::uint32_t> named(vnodes.begin(), vnodes.end()), listed;
  for (const std::uint32_t vnode : *with_data)
    if (named.contains(vnode)) listed.insert(vnode);
  for (std::size_t i = 0; i < vnodes.size(); ++i) put(data_key(owners[i], vnodes[i]), data);
  if (data == "1") {
    if (std::erase_if(*with_data, [&](std::uint32_t vnode) { return listed.contains(vnode); }) > 0)
      changed_lists_.insert("VNODE_DATA");
    return;
  }
  for (const std::uint32_t vnode : vnodes) {
    if (!listed.insert(vnode).second) continue;
    with_data->push_back(vnode);
    changed_lists_.insert("VNODE_DATA");
  }
}

void StoredRing::remap(std::int64_t vnode, const std::string& pnode) {
  if (vnode < 0) throw Failure("vnode " + std::to_string(vnode) + " does not exist in the ring");
  remap(std::vector<std::uint32_t>{static_cast<std::uint32_t>(vnode)}, pnode);
}

/// Everything is read before anything is staged: a failure leaves what was staged before.
void StoredRing::remap(const std::vector<std::uint32_t>& vnodes, const std::string& pnode) {
  if (vnodes.empty()) return;
  struct Leaving {
    std::vector<std::uint32_t> vnodes;
    std::vector<std::string> data;
  };
  std::map<std::string, Leaving> leaving;  // by their owner
  for (const std::uint32_t vnode : vnodes) {
    if (vnode >= vnode_count_) throw Failure(kNotFound);
    const std::string old = text_of(required(vnode_key(vnode), kNotFound));
    if (old == pnode) throw Failure("vnode " + std::to_string(vnode) + " already belongs to pnode");
    Leaving& of_owner = leaving[old];
    of_owner.data.push_back(required(data_key(old, vnode), kNotFound));
    of_owner.vnodes.push_back(vnode);
  }
  for (const auto& [old, of_owner] : leaving) {
    const auto* from = list("/PNODE/" + old);
    if (from == nullptr) throw Failure("couldn't get path/pnode/" + old + ": NotFound: ");
    if (const auto missing = first_missing(*from, of_owner.vnodes))
      throw Failure("vnode " + std::to_string(*missing) + " is not in the list of pnode " + old);
  }
  std::vector<std::string> known = names();
  if (std::find(known.begin(), known.end(), pnode) == known.end()) {
    known.push_back(pnode);
    if (const auto collision = ring::key_collision(known)) throw Failure(*collision);
    put("/PNODE", Json(known).dump());
  }
  for (const auto& [old, of_owner] : leaving) {
    take_out(*list("/PNODE/" + old), of_owner.vnodes);
    changed_lists_.insert("/PNODE/" + old);
    for (std::size_t i = 0; i < of_owner.vnodes.size(); ++i) {
      erase(data_key(old, of_owner.vnodes[i]));
      put(data_key(pnode, of_owner.vnodes[i]), of_owner.data[i]);
    }
  }
  const std::string new_key = "/PNODE/" + pnode;
  std::vector<std::uint32_t>* to = list(new_key);
  if (to == nullptr) to = &lists_[new_key];
  changed_lists_.insert(new_key);
  for (const std::uint32_t vnode : vnodes) {
    to->push_back(vnode);
    put(vnode_key(vnode), ring::json_string(pnode));
  }
}

void StoredRing::remove_pnode(const std::string& pnode) {
  std::vector<std::string> known = names();
  const auto at = std::find(known.begin(), known.end(), pnode);
  const auto* vnodes = at == known.end() ? nullptr : list("/PNODE/" + pnode);
  if (vnodes == nullptr) throw Failure("pnode does not exist: NotFound: ");
  if (!vnodes->empty()) throw Failure("pnode still maps to vnodes, re-assign vnodes first");
  known.erase(at);
  put("/PNODE", Json(known).dump());
  erase("/PNODE/" + pnode);
}

void StoredRing::commit() {
  leveldb::WriteBatch batch;
  for (const auto& [key, value] : staged_) {
    if (value)
      batch.Put(key, *value);
    else
      batch.Delete(key);
  }
  for (const std::string& key : changed_lists_) batch.Put(key, list_text(lists_[key]));
  leveldb::WriteOptions options;
  options.sync = true;
  const leveldb::Status status = db_->Write(options, &batch);
  if (!status.ok())
    throw Failure("unable to write the ring, which is as it was: " + status.ToString());
  staged_.clear();
  lists_.clear();
  changed_lists_.clear();
}

}  // namespace ring_tool
