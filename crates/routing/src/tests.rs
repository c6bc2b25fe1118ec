mod call_backs;
mod courses;
mod rates;
