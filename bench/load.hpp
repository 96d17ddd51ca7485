#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "backends/shard.hpp"

/// What benches that load a router have in common.
namespace bench {

inline std::string payload(const char* rpc, const std::string& arguments) {
  return std::string("{\"m\":{\"uts\":1,\"name\":\"") + rpc + "\"},\"d\":" + arguments + "}";
}

/// One request whose end is reported; deletes itself.
class OneRequest final : public backends::ReplySink {
 public:
  using Done = std::function<void(bool good)>;
  static void send(backends::Shard& shard, backends::Rpc rpc, const std::string& text, Done done) {
    auto* self = new OneRequest(std::move(done));
    const std::string_view piece = text;
    backends::Request request;
    request.rpc = rpc;
    request.pieces = {&piece, 1};
    request.stream = rpc == backends::Rpc::find_objects;
    if (!shard.submit(request, *self).ticket) self->end(false);
  }
  void on_data(const backends::Reply&) override {}
  void on_end(const backends::Reply&) override { end(true); }
  void on_error(const backends::Reply&) override { end(false); }
  void on_failure(const backends::Failure&) override { end(false); }

 private:
  explicit OneRequest(Done done) : done_(std::move(done)) {}
  void end(bool good) {
    done_(good);
    delete this;
  }
  Done done_;
};

/// The value that `part` of them (0 to 1) lie below; sorts them.
inline double quantile(std::vector<double>& values, double part) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1,
                         static_cast<std::size_t>(static_cast<double>(values.size()) * part))];
}

inline double median(std::vector<double> values) { return quantile(values, 0.5); }

}  // namespace bench
