#include "backends/embedded/transaction.hpp"

#include <cstdlib>
#include <memory>

namespace backends::embedded {
namespace {

// Of a change beside its texts.
constexpr std::size_t kChangeBytes = 128;
constexpr std::size_t kRowsBetweenOthers = 64;

std::string_view view(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace

void check(const leveldb::Status& status) {
  if (!status.ok()) throw StoreError(status.ToString());
}

std::optional<std::string> Transaction::get(const std::string& key) const {
  if (const auto own = own_.find(key); own != own_.end()) return own->second;
  if (const auto grouped = group_.find(key); grouped != group_.end()) return grouped->second;
  std::string value;
  const leveldb::Status status = db_.Get({}, key, &value);
  if (status.IsNotFound()) return std::nullopt;
  check(status);
  return value;
}

void Transaction::put(std::string key, std::string value) {
  charge(kChangeBytes + key.size() + value.size());
  own_[std::move(key)] = std::move(value);
}

void Transaction::erase(std::string key) {
  charge(kChangeBytes + key.size());
  own_[std::move(key)] = std::nullopt;
}

void Transaction::charge(std::size_t bytes) {
  bytes_ += bytes;
  if (rules_ != nullptr && bytes_ > rules_->bytes_max)
    throw TooLarge("this changes more than " + std::to_string(rules_->bytes_max >> 20) +
                   " MiB at once: give a limit");
}

Changes Transaction::changes_under(const std::string& prefix) const {
  Changes changes;
  for (const Changes* layer : {&own_, &group_})
    for (auto at = layer->lower_bound(prefix); at != layer->end() && at->first.starts_with(prefix);
         ++at)
      changes.insert(*at);  // the own layer comes first and stays
  return changes;
}

void Transaction::scan(const std::string& prefix,
                       const std::function<bool(std::string_view, std::string_view)>& visit) const {
  const Changes changes = changes_under(prefix);
  auto change = changes.begin();
  const std::unique_ptr<leveldb::Iterator> stored(db_.NewIterator({}));
  stored->Seek(prefix);
  const auto stored_left = [&] {
    return stored->Valid() && view(stored->key()).starts_with(prefix);
  };
  for (std::size_t rows = 1; stored_left() || change != changes.end(); ++rows) {
    if (rules_ != nullptr && rows % kRowsBetweenOthers == 0) rules_->between_rows();
    const bool take_change =
        change != changes.end() && (!stored_left() || change->first <= view(stored->key()));
    if (!take_change) {
      if (!visit(view(stored->key()), view(stored->value()))) return;
      stored->Next();
      continue;
    }
    if (stored_left() && change->first == view(stored->key())) stored->Next();
    if (change->second && !visit(change->first, *change->second)) return;
    ++change;
  }
  check(stored->status());
}

void Transaction::absorb_into(Changes& group) {
  for (auto& [key, value] : own_) group[key] = std::move(value);
  own_.clear();
}

std::uint64_t number_at(const Transaction& transaction, const std::string& key,
                        std::uint64_t otherwise) {
  const auto text = transaction.get(key);
  return text ? std::strtoull(text->c_str(), nullptr, 10) : otherwise;
}

}  // namespace backends::embedded
