#include "ring/ring.hpp"

#include <algorithm>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

#include "ring/digest.hpp"
#include "ring/interval.hpp"
#include "ring/vnode_data.hpp"

namespace ring {

struct Ring::State {
  Algorithm algorithm = Algorithm::sha256;
  Interval interval;
  std::string interval_hex;
  std::string version;
  std::vector<std::string> pnodes;
  std::unordered_map<std::string_view, PnodeIndex> pnode_by_name;  // views of `pnodes`
  std::vector<std::uint16_t> owners;
  VnodeData data;
  std::string digest;
};

namespace {

const std::string kNoData = "1";
const std::string kReadOnly = "\"ro\"";

[[noreturn]] void refuse(const std::string& reason) { throw std::invalid_argument(reason); }

void check_pnodes(const std::vector<std::string>& pnodes) {
  if (pnodes.empty()) refuse("the ring has no pnodes");
  if (pnodes.size() > 0xffff) refuse("the ring has more than 65,535 pnodes");
  std::unordered_set<std::string_view> names;
  for (const std::string& name : pnodes)
    if (!names.insert(name).second) refuse("pnode \"" + name + "\" is listed twice");
}

Digest last_hash(Algorithm algorithm) {
  Digest digest;
  digest.size = digest_bytes(algorithm);
  digest.bytes.fill(0xff);
  return digest;
}

std::vector<std::pair<std::uint32_t, std::string>> checked_data(
    std::vector<std::pair<std::uint32_t, std::string>> data, std::size_t vnode_count) {
  std::sort(data.begin(), data.end());
  for (std::size_t i = 0; i < data.size(); ++i) {
    const std::string vnode = "vnode " + std::to_string(data[i].first);
    if (data[i].first >= vnode_count) refuse(vnode + " has data but does not exist");
    if (i > 0 && data[i].first == data[i - 1].first) refuse(vnode + " has data twice");
  }
  std::erase_if(data, [](const auto& entry) { return entry.second == kNoData; });
  return data;
}

}  // namespace

Ring::Ring(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Ring::~Ring() = default;

std::shared_ptr<const Ring> Ring::make(RingParts parts) {
  if (parts.owners.empty()) refuse("the ring has no vnodes");
  check_pnodes(parts.pnodes);
  for (std::size_t vnode = 0; vnode < parts.owners.size(); ++vnode)
    if (parts.owners[vnode] >= parts.pnodes.size())
      refuse("vnode " + std::to_string(vnode) + " belongs to no pnode");
  const auto number = BigNumber::from_hex(parts.interval_hex);
  const auto interval = number ? Interval::make(parts.algorithm, *number) : std::nullopt;
  if (!interval)
    refuse("VNODE_HASH_INTERVAL \"" + parts.interval_hex + "\" is not the interval of a ring");

  if (interval->divide(last_hash(parts.algorithm)) > parts.owners.size())
    refuse("VNODE_HASH_INTERVAL \"" + parts.interval_hex + "\" is too small for " +
           std::to_string(parts.owners.size()) + " vnodes: it leaves keys without a vnode");

  auto state = std::make_unique<State>();
  state->algorithm = parts.algorithm;
  state->interval = *interval;
  state->interval_hex = std::move(parts.interval_hex);
  state->version = std::move(parts.version);
  state->pnodes = std::move(parts.pnodes);
  state->owners = std::move(parts.owners);
  state->owners.shrink_to_fit();
  for (std::size_t i = 0; i < state->pnodes.size(); ++i)
    state->pnode_by_name.emplace(state->pnodes[i], static_cast<PnodeIndex>(i));

  state->data =
      VnodeData(checked_data(std::move(parts.data), state->owners.size()), state->owners.size());
  auto ring = std::shared_ptr<Ring>(new Ring(std::move(state)));
  const_cast<State&>(*ring->state_).digest = compute_digest(*ring);  // not published yet
  return ring;
}

std::optional<Location> Ring::locate(std::string_view transformed_key) const {
  return locate_hash(hash(state_->algorithm, transformed_key));
}

std::optional<Location> Ring::locate_hash(const Digest& digest) const {
  const std::uint64_t vnode = state_->interval.divide(digest);
  if (vnode >= state_->owners.size()) return std::nullopt;
  return Location{static_cast<Vnode>(vnode), static_cast<PnodeIndex>(state_->owners[vnode])};
}

PnodeIndex Ring::owner(Vnode vnode) const {
  return static_cast<PnodeIndex>(state_->owners.at(number(vnode)));
}
std::uint32_t Ring::vnode_count() const {
  return static_cast<std::uint32_t>(state_->owners.size());
}
std::span<const std::string> Ring::pnodes() const { return state_->pnodes; }
const std::string& Ring::pnode_name(PnodeIndex pnode) const {
  return state_->pnodes.at(number(pnode));
}
std::optional<PnodeIndex> Ring::pnode_named(std::string_view name) const {
  const auto found = state_->pnode_by_name.find(name);
  if (found == state_->pnode_by_name.end()) return std::nullopt;
  return found->second;
}

std::string_view Ring::data_json(Vnode vnode) const {
  const std::string* text = state_->data.empty() ? nullptr : state_->data.find(number(vnode));
  return text == nullptr ? kNoData : *text;
}
bool Ring::read_only(Vnode vnode) const { return data_json(vnode) == kReadOnly; }
bool Ring::any_data() const { return !state_->data.empty(); }

std::vector<Vnode> Ring::data_vnodes() const {
  std::vector<Vnode> vnodes;
  for (const std::uint32_t vnode : state_->data.vnodes())
    vnodes.push_back(static_cast<Vnode>(vnode));
  return vnodes;
}

std::vector<Vnode> Ring::vnodes_of(PnodeIndex pnode) const {
  std::vector<Vnode> vnodes;
  for (std::size_t vnode = 0; vnode < state_->owners.size(); ++vnode)
    if (state_->owners[vnode] == number(pnode)) vnodes.push_back(static_cast<Vnode>(vnode));
  return vnodes;
}

Algorithm Ring::algorithm() const { return state_->algorithm; }
const std::string& Ring::interval_hex() const { return state_->interval_hex; }
const std::string& Ring::version() const { return state_->version; }
const std::string& Ring::digest() const { return state_->digest; }

std::size_t Ring::bytes() const {
  std::size_t bytes =
      sizeof(State) + state_->owners.capacity() * sizeof(std::uint16_t) + state_->data.bytes();
  for (const std::string& name : state_->pnodes) bytes += 2 * sizeof name + name.capacity() + 64;
  return bytes;
}

}  // namespace ring
