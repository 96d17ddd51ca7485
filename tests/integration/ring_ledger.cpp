#include "tests/integration/ring_ledger.hpp"

namespace integration {

Era& Ledger::next_era() {
  eras_.push_back(eras_.back());
  return eras_.back();
}

std::set<std::string> Ledger::owners_since(std::uint32_t vnode, std::size_t era) const {
  std::set<std::string> owners;
  for (std::size_t i = era; i < eras_.size(); ++i) owners.insert(eras_[i].owner.at(vnode));
  return owners;
}

bool Ledger::could_be_refused(std::uint32_t vnode, std::size_t era) const {
  for (std::size_t i = era; i < eras_.size(); ++i)
    if (eras_[i].refused.contains(vnode) || eras_[i].marked.contains(vnode)) return true;
  return false;
}

std::size_t Ledger::last_certain(const Key& key, const std::string& pnode) {
  std::size_t last = 0, number = 0;
  for (const Write& write : key.writes) {
    ++number;
    if (write.certain && write.possible.size() == 1 && write.possible.contains(pnode))
      last = number;
  }
  return last;
}

bool Ledger::explained(const Key& key, const std::string& pnode, int value,
                       std::size_t least) const {
  if (value == kDeleted && least == 0) return true;  // none was ever surely there
  std::size_t number = 0;
  for (const Write& write : key.writes) {
    ++number;
    if (number < least && !write.strays) continue;
    const bool there = write.taken ? write.possible.contains(pnode)
                                   : owners_since(key.vnode, write.sent).contains(pnode);
    if (there && write.value == value) return true;
  }
  return false;
}

}  // namespace integration
