// locate: where keys lie, by bucket and key as clients give them.
#include <iostream>

#include "json/document.hpp"
#include "json/text.hpp"
#include "ring/key_transform.hpp"
#include "ring_tool/commands.hpp"
#include "ring_tool/failure.hpp"
#include "ring_tool/source.hpp"

namespace ring_tool {
namespace {

constexpr std::size_t kOutputBytes = 1 << 20;

/// Locates many keys with reused memory. Lives in one command.
class Locator {
 public:
  explicit Locator(std::shared_ptr<const ring::Ring> ring) : ring_(std::move(ring)) {}

  /// Appends `{"bucket":…,"key":…,"tkey":…,"vnode":…,"pnode":…,"data":…}`; the first two are JSON
  /// texts.
  void append(std::string& out, std::string_view bucket, std::string_view key,
              std::string_view bucket_json, std::string_view key_json) {
    const std::string_view transformed = ring::transform_key(bucket, key);
    const auto location = ring_->locate(transformed);
    if (!location)
      throw Failure("the hash of key " + std::string(key_json) +
                    " lies beyond the ring's last vnode");
    out.append("{\"bucket\":")
        .append(bucket_json)
        .append(",\"key\":")
        .append(key_json)
        .append(",\"tkey\":");
    if (transformed.size() == key.size())
      out += key_json;
    else
      json::append_quoted(out, transformed);
    out.append(",\"vnode\":").append(std::to_string(number(location->vnode))).append(",\"pnode\":");
    json::append_quoted(out, ring_->pnode_name(location->pnode));
    out.append(",\"data\":").append(ring_->data_json(location->vnode)).append("}\n");
  }

  /// One line `{"bucket":…,"key":…}`. Throws Failure naming the line.
  void append_line(std::string& out, std::string_view line, std::size_t line_number) {
    const auto refuse = [&](const char* what) {
      throw Failure("line " + std::to_string(line_number) + ": " + what);
    };
    if (document_.parse(line)) refuse("is not JSON");
    const json::Value root = document_.root();
    if (!root.is(json::Type::object)) refuse("is not an object");
    const auto bucket = root.find("bucket");
    const auto key = root.find("key");
    if (!bucket || !bucket->is(json::Type::string)) refuse("has no text \"bucket\"");
    if (!key || !key->is(json::Type::string)) refuse("has no text \"key\"");
    append(out, bucket->string(bucket_), key->string(key_), bucket->text(), key->text());
  }

 private:
  std::shared_ptr<const ring::Ring> ring_;
  json::Document document_;
  std::string bucket_, key_;
};

void locate_lines(Locator& locator, const Streams& streams) {
  std::string out, line;
  for (std::size_t number = 1; std::getline(streams.in, line); ++number) {
    if (line.empty()) continue;
    try {
      locator.append_line(out, line, number);
    } catch (const Failure&) {
      streams.out << out;  // what came before is answered
      throw;
    }
    if (out.size() < kOutputBytes) continue;
    streams.out << out;
    out.clear();
  }
  streams.out << out;
}

}  // namespace

void locate(const Options& options, const Streams& streams) {
  const bool lines = options.has("jsonl");
  if (options.arguments().size() != (lines ? 0u : 2u))
    throw WrongUse("it takes BUCKET and KEY, or --jsonl");
  const Source source = source_of(options);
  if (lines && source.backend == Backend::memory && source.location.empty())
    throw Failure("with --jsonl stdin holds the keys: give the topology's file with -l");
  Locator locator(load_ring(source, streams));
  if (lines) return locate_lines(locator, streams);
  std::string out, bucket, key;
  json::append_quoted(bucket, options.arguments()[0]);
  json::append_quoted(key, options.arguments()[1]);
  locator.append(out, options.arguments()[0], options.arguments()[1], bucket, key);
  streams.out << out;
}

}  // namespace ring_tool
