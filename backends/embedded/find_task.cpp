#include "backends/embedded/find_task.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "objects/errors.hpp"
#include "objects/handled_options.hpp"

namespace backends::embedded {
namespace {

using objects::Failed;
using objects::JsArray;
using objects::JsValue;
using objects::Row;

// A slice ends at the first of these: others wait for its end.
constexpr std::chrono::microseconds kSliceTime{250};
constexpr std::size_t kSliceBytes = 64u << 10;
// An iterator keeps a block of each file, and a block has the size of its rows. Where rows are
// larger than this, none is kept between two slices.
constexpr std::size_t kRowBytesKept = 64u << 10;

/// Says when a slice is over.
class SliceClock {
 public:
  /// Called for each row; one may take long, by its size or the filter's.
  bool over(std::size_t bytes) { return bytes >= kSliceBytes || Clock::now() >= end_; }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point end_ = Clock::now() + kSliceTime;
};

bool is_set(const JsValue& options, const char* name) {
  const JsValue* value = options.get(name);
  return value != nullptr && value->truthy();
}

std::size_t bytes_of(const std::vector<objects::Column>& values) {
  std::size_t bytes = 0;
  for (const objects::Column& column : values) {
    bytes += sizeof column;
    if (const auto* element = std::get_if<objects::Element>(&column))
      if (const auto* text = std::get_if<std::string>(element)) bytes += text->size();
    if (const auto* elements = std::get_if<objects::Elements>(&column))
      bytes += 64 * elements->size();
  }
  return bytes;
}

}  // namespace

FindTask::FindTask(leveldb::DB& db, TableCache& tables, const JsArray& arguments) : db_(db) {
  failed_ = begin(db, tables, arguments);
}

FindTask::~FindTask() {
  rows_.reset();
  if (snapshot_ != nullptr) db_.ReleaseSnapshot(snapshot_);
}

Failed FindTask::begin(leveldb::DB& db, TableCache& tables, const JsArray& arguments) {
  const std::string& bucket = *arguments[0].string();
  const std::string& text = *arguments[1].string();
  const JsValue& options = arguments[2];
  if (is_set(options, "sql_only")) return objects::errors::operation_not_supported();
  auto parsed = objects::parse_filter(text);
  if (!parsed.filter) return objects::errors::invalid_query(text);
  const Changes nothing;
  auto table = tables.find(Transaction(db, nothing), bucket);
  if (!table) return table.error();
  table_ = *table;
  if (is_set(options, "requireIndexes") || is_set(options, "requireOnlineReindexing"))
    if (auto error = objects::check_usable_fields(table_->bucket, *parsed.filter, text))
      return error;
  if (objects::wants_handled_options(options))
    first_values_.emplace_back(objects::kFindHandledOptions);
  auto compiled = objects::compile(table_->bucket, *parsed.filter, objects::Purpose::find);
  if (!compiled) return compiled.error();
  auto selection = objects::selection_of(table_->bucket, options);
  if (!selection) return selection.error();
  if (compiled->at_execution) return compiled->at_execution;
  condition_ = std::move(compiled->condition);
  selection_ = *std::move(selection);
  path_ = access_path(*table_, condition_);
  count_wanted_ = !is_set(options, "no_count");
  if (!count_wanted_ && selection_.sort.empty()) phase_ = Phase::emitting;
  snapshot_ = db.GetSnapshot();
  rewind();
  return std::nullopt;
}

void FindTask::open_rows() {
  leveldb::ReadOptions options;
  options.snapshot = snapshot_;
  options.fill_cache = false;
  rows_.reset(db_.NewIterator(options));
  rows_->Seek(resume_at_);
}

/// To the first row.
void FindTask::rewind() {
  rows_.reset();
  resume_at_ = path_.prefix;
}

void FindTask::rest() {
  if (rows_ == nullptr) return;
  if (rows_->Valid())
    resume_at_ = rows_->key().ToString();
  else if (!rows_->status().ok())
    return;  // the next step says so
  else
    resume_at_ = std::string(1, '\xff');  // after all rows
  rows_.reset();
}

bool FindTask::at_end() const {
  if (!rows_->Valid()) {
    if (!rows_->status().ok()) throw StoreError(rows_->status().ToString());
    return true;
  }
  const leveldb::Slice key = rows_->key();
  return !key.starts_with(path_.prefix) || (path_.exact && key.size() != path_.prefix.size());
}

Row FindTask::current_row() {
  const leveldb::Slice key = rows_->key();
  const leveldb::Slice value = rows_->value();
  largest_row_ = std::max(largest_row_, value.size());
  return decode_row(*table_, keys::row_key({key.data(), key.size()}), {value.data(), value.size()});
}

FindTask::Slice FindTask::step() {
  if (!failed_ && rows_ == nullptr) open_rows();
  largest_row_ = 0;
  Slice slice = step_phase();
  if (largest_row_ > kRowBytesKept) rest();
  return slice;
}

FindTask::Slice FindTask::step_phase() {
  Slice slice;
  slice.values = std::exchange(first_values_, {});
  if (failed_) {
    slice.error = failed_;
    slice.done = true;
  } else if (phase_ == Phase::counting) {
    count_rows(slice);
  } else if (phase_ == Phase::sorting) {
    sort_some();
  } else if (selection_.sort.empty()) {
    emit_in_key_order(slice);
  } else {
    emit_sorted(slice);
  }
  return slice;
}

void FindTask::count_rows(Slice& slice) {
  SliceClock clock;
  for (; !at_end() && !clock.over(0); rows_->Next()) {
    const Row row = current_row();
    if (objects::decide(condition_, row) != objects::Truth::yes) continue;
    ++matches_;
    if (!selection_.sort.empty()) collect(row, rows_->key().ToString());
  }
  if (!at_end()) return;
  slice.done = matches_ == 0;
  phase_ = selection_.sort.empty() ? Phase::emitting : Phase::sorting;
  unsorted_ = candidates_.size();
  rewind();
}

/// std::sort_heap, some steps at a time.
void FindTask::sort_some() {
  const auto first = candidates_.begin();
  for (SliceClock clock; unsorted_ > 1 && !clock.over(0); --unsorted_)
    std::pop_heap(first, first + static_cast<std::ptrdiff_t>(unsorted_),
                  [this](const Candidate& a, const Candidate& b) { return comes_before(a, b); });
  if (unsorted_ <= 1) phase_ = Phase::emitting;
}

/// The last row that limit and offset let through, counted from 1.
std::uint64_t FindTask::wanted() const {
  if (!selection_.limit || *selection_.limit > UINT64_MAX - selection_.offset) return UINT64_MAX;
  return *selection_.limit + selection_.offset;
}

bool FindTask::comes_before(const Candidate& a, const Candidate& b) const {
  if (objects::comes_before(selection_, a.values, b.values)) return true;
  if (objects::comes_before(selection_, b.values, a.values)) return false;
  return a.stored_key < b.stored_key;
}

void FindTask::collect(const Row& row, std::string stored_key) {
  const auto before = [this](const Candidate& a, const Candidate& b) { return comes_before(a, b); };
  Candidate candidate{objects::sort_values(selection_, row), std::move(stored_key), 0};
  candidate.bytes = bytes_of(candidate.values) + candidate.stored_key.size() + sizeof(Candidate);
  if (candidates_.size() >= wanted()) {
    if (candidates_.empty() || !before(candidate, candidates_.front())) return;
    std::pop_heap(candidates_.begin(), candidates_.end(), before);
    candidate_bytes_ -= candidates_.back().bytes;
    candidates_.pop_back();
  }
  candidate_bytes_ += candidate.bytes;
  candidates_.push_back(std::move(candidate));
  std::push_heap(candidates_.begin(), candidates_.end(), before);
}

void FindTask::emit_in_key_order(Slice& slice) {
  SliceClock clock;
  std::size_t bytes = 0;
  for (; passed_ < wanted() && !at_end() && !clock.over(bytes); rows_->Next()) {
    const Row row = current_row();
    if (objects::decide(condition_, row) != objects::Truth::yes) continue;
    if (passed_++ < selection_.offset) continue;
    emit(row, slice);
    if (!slice.values.empty()) bytes += slice.values.back().size();
  }
  slice.done = passed_ >= wanted() || at_end();
}

void FindTask::emit_sorted(Slice& slice) {
  passed_ = std::max(passed_, std::min<std::uint64_t>(selection_.offset, candidates_.size()));
  SliceClock clock;
  std::size_t bytes = 0;
  for (; passed_ < candidates_.size() && !clock.over(bytes); ++passed_) {
    rows_->Seek(candidates_[passed_].stored_key);
    if (!rows_->Valid())
      throw StoreError("a row vanished from a snapshot: " + rows_->status().ToString());
    emit(current_row(), slice);
    if (!slice.values.empty()) bytes += slice.values.back().size();
  }
  slice.done = passed_ >= candidates_.size();
}

void FindTask::emit(const Row& row, Slice& slice) {
  auto made = objects::object_of(table_->bucket, row);
  if (!made) throw StoreError(made.error().message);
  objects::JsObject object = *std::move(made);
  if (!objects::holds(condition_, row, object)) return;
  objects::drop_internal_members(object);
  const objects::Count count =
      count_wanted_ ? objects::Count(matches_) : objects::Count(objects::NoCount{});
  slice.values.push_back(
      objects::stringify(objects::reply_of(table_->bucket, row, std::move(object), count)));
}

}  // namespace backends::embedded
